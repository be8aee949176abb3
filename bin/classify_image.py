"""Launcher of `tf2cases.programs.classify_image`."""

from tf2cases.programs import classify_image, program

if __name__ == "__main__":
    program.run(classify_image)
