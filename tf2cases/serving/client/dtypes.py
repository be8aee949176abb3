"""TensorFlow's names and numbers of the dtypes that TF Serving can carry."""

import numpy as np

# Name -> (number, NumPy's dtype, the field of a TensorProto for single values).
TYPES: dict[str, tuple[int, np.dtype, str]] = {
    "DT_FLOAT": (1, np.dtype(np.float32), "float_val"),
    "DT_DOUBLE": (2, np.dtype(np.float64), "double_val"),
    "DT_INT32": (3, np.dtype(np.int32), "int_val"),
    "DT_UINT8": (4, np.dtype(np.uint8), "int_val"),
    "DT_INT16": (5, np.dtype(np.int16), "int_val"),
    "DT_INT8": (6, np.dtype(np.int8), "int_val"),
    "DT_STRING": (7, np.dtype(object), "string_val"),
    "DT_INT64": (9, np.dtype(np.int64), "int64_val"),
    "DT_BOOL": (10, np.dtype(np.bool_), "bool_val"),
    "DT_UINT16": (17, np.dtype(np.uint16), "int_val"),
    "DT_HALF": (19, np.dtype(np.float16), "half_val"),
    "DT_UINT32": (22, np.dtype(np.uint32), "uint32_val"),
    "DT_UINT64": (23, np.dtype(np.uint64), "uint64_val"),
}
BY_NUMBER = {number: (dtype, field) for number, dtype, field in TYPES.values()}
NUMBERS = {dtype: number for number, dtype, _ in TYPES.values()}
