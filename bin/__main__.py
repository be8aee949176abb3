"""Launcher of `tf2cases.programs.command`."""

from tf2cases.programs import command

if __name__ == "__main__":
    command.main()
