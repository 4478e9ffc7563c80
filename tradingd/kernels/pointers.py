"""Records and numbers by the addresses of their arrays, so that a call between kernels passes one record and no arrays.

Each array among the arguments of a kernel costs its callers a few pointers and a count of who holds it. Whoever makes a
record of addresses keeps the arrays alive, and nothing here looks whether an index is inside of them.
"""

from typing import Any

from llvmlite import ir
from numba import from_dtype, types

from tradingd.kernels.calls import code_generator

WORD, DOUBLE = ir.IntType(64), ir.DoubleType()


def record_at(name: str, dtype: Any, holder: Any, index: Any) -> Any:
    """Types and code of the record at `index` of the array of which the field `name` of a record has the address."""
    kind, offset = from_dtype(dtype), holder.offset(name)

    def codegen(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        field = builder.gep(args[0], [ir.Constant(ir.IntType(32), 0), ir.Constant(ir.IntType(32), offset)])
        first = builder.load(builder.bitcast(field, WORD.as_pointer()))
        place = builder.add(first, builder.mul(args[1], ir.Constant(WORD, dtype.itemsize)))
        return builder.inttoptr(place, context.get_value_type(kind))

    return kind(holder, types.int64), codegen


@code_generator
def pointer_to(_typing: Any, address: Any) -> Any:
    """What `address_of` gave, as numba.carray takes it."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], ir.IntType(8).as_pointer())

    return types.voidptr(address), codegen


@code_generator
def int_at(_typing: Any, address: Any, index: Any) -> Any:
    """The int64 at `index` of the array at `address`."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.load(_place(builder, WORD, *args))

    return types.int64(types.int64, types.int64), codegen


@code_generator
def float_at(_typing: Any, address: Any, index: Any) -> Any:
    """The float64 at `index` of the array at `address`."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.load(_place(builder, DOUBLE, *args))

    return types.float64(types.int64, types.int64), codegen


@code_generator
def set_float(_typing: Any, address: Any, index: Any, value: Any) -> Any:
    """Writes the float64 at `index` of the array at `address`."""

    def codegen(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        builder.store(args[2], _place(builder, DOUBLE, *args[:2]))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.float64), codegen


def _place(builder: Any, kind: Any, address: Any, index: Any) -> Any:
    return builder.gep(builder.inttoptr(address, kind.as_pointer()), [index])


@code_generator
def same_bytes(_typing: Any, record: Any, other: Any) -> Any:
    """Whether two records of one type, of whole words, hold the same bytes."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        starts = [builder.bitcast(arg, WORD.as_pointer()) for arg in args]
        differs = ir.Constant(WORD, 0)
        for n in range(record.size // 8):
            one, two = (builder.load(builder.gep(start, [ir.Constant(WORD, n)])) for start in starts)
            differs = builder.or_(differs, builder.xor(one, two))
        return builder.icmp_unsigned("==", differs, ir.Constant(WORD, 0))

    return types.boolean(record, record), codegen
