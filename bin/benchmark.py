"""Launcher of `tf2cases.programs.benchmark`."""

from tf2cases.programs import benchmark, program

if __name__ == "__main__":
    program.run(benchmark)
