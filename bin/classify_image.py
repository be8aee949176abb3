"""Launcher of `tf2cases.programs.classify_image`."""

from tf2cases.programs import classify_image, common

if __name__ == "__main__":
    common.run(classify_image.__doc__, classify_image.define, classify_image.main)
