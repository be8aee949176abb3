"""Launcher of `tf2cases.programs.predict`."""

from tf2cases.programs import common, predict

if __name__ == "__main__":
    common.run(predict.__doc__, predict.define, predict.main)
