"""Launcher of `tf2cases.programs.predict`."""

from tf2cases.programs import predict, program

if __name__ == "__main__":
    program.run(predict)
