"""Launcher of `tf2cases.programs.retrain`."""

from tf2cases.programs import retrain

if __name__ == "__main__":
    retrain.main()
