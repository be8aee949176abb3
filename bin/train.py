"""Launcher of `tf2cases.programs.train`."""

from tf2cases.programs import program, train

if __name__ == "__main__":
    program.run(train)
