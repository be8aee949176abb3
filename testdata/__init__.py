"""Small inputs that are installed as the package `tf2cases.testdata`; README.md has their origins."""
