"""Launcher of `tf2cases.programs.serve`."""

from tf2cases.programs import program, serve

if __name__ == "__main__":
    program.run(serve)
