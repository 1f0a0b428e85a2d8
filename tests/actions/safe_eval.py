"""Runs a server action's text under the limits of Odoo's safe_eval.

What it is: the same refusals (forbidden opcodes, names with two underscores, built-ins that are not there) as
`odoo/tools/safe_eval.py` of 17, 18 and 19, plus what only shows on another Python than the one at hand: closures
(refused on 3.10 and 3.11) and `try` inside a loop (refused on 3.13).
What it is not: Odoo's code, or a sandbox. It only has to refuse what Odoo would refuse.
Read next: fake_env.py (what the text runs against), run.py (the cases).
"""
import ast
import builtins
import dis
import functools
import types

# Opcodes by name, of Python 3.10 to 3.13; a name the Python at hand does not know does no harm.
ALLOWED_OPCODES = set("""
    POP_TOP ROT_TWO ROT_THREE ROT_FOUR DUP_TOP DUP_TOP_TWO LOAD_CONST RETURN_VALUE BUILD_LIST BUILD_MAP BUILD_TUPLE
    BUILD_SET BUILD_CONST_KEY_MAP LIST_EXTEND SET_UPDATE COPY SWAP RESUME RETURN_CONST TO_BOOL
    UNARY_POSITIVE UNARY_NEGATIVE UNARY_NOT UNARY_INVERT BINARY_SUBSCR BUILD_SLICE LIST_APPEND MAP_ADD SET_ADD COMPARE_OP
    IS_OP CONTAINS_OP DICT_MERGE DICT_UPDATE GEN_START BINARY_OP BINARY_SLICE
    BINARY_POWER BINARY_MULTIPLY BINARY_FLOOR_DIVIDE BINARY_TRUE_DIVIDE BINARY_MODULO BINARY_ADD BINARY_SUBTRACT
    BINARY_LSHIFT BINARY_RSHIFT BINARY_AND BINARY_XOR BINARY_OR
    INPLACE_POWER INPLACE_MULTIPLY INPLACE_FLOOR_DIVIDE INPLACE_TRUE_DIVIDE INPLACE_MODULO INPLACE_ADD INPLACE_SUBTRACT
    INPLACE_LSHIFT INPLACE_RSHIFT INPLACE_AND INPLACE_XOR INPLACE_OR
    POP_BLOCK POP_EXCEPT EXTENDED_ARG MAKE_FUNCTION CALL_FUNCTION CALL_FUNCTION_KW CALL_FUNCTION_EX CALL_METHOD
    LOAD_METHOD GET_ITER FOR_ITER YIELD_VALUE JUMP_FORWARD JUMP_ABSOLUTE JUMP_BACKWARD JUMP_IF_FALSE_OR_POP
    JUMP_IF_TRUE_OR_POP POP_JUMP_IF_FALSE POP_JUMP_IF_TRUE SETUP_FINALLY RAISE_VARARGS LOAD_NAME STORE_NAME DELETE_NAME
    LOAD_ATTR LOAD_FAST STORE_FAST DELETE_FAST UNPACK_SEQUENCE STORE_SUBSCR LOAD_GLOBAL RERAISE JUMP_IF_NOT_EXC_MATCH
    PUSH_NULL PRECALL CALL KW_NAMES POP_JUMP_FORWARD_IF_FALSE POP_JUMP_FORWARD_IF_TRUE POP_JUMP_BACKWARD_IF_FALSE
    POP_JUMP_BACKWARD_IF_TRUE POP_JUMP_FORWARD_IF_NONE POP_JUMP_BACKWARD_IF_NONE POP_JUMP_FORWARD_IF_NOT_NONE
    POP_JUMP_BACKWARD_IF_NOT_NONE CHECK_EXC_MATCH RETURN_GENERATOR PUSH_EXC_INFO NOP FORMAT_VALUE BUILD_STRING END_FOR
    LOAD_FAST_AND_CLEAR LOAD_FAST_CHECK POP_JUMP_IF_NOT_NONE POP_JUMP_IF_NONE CALL_INTRINSIC_1 STORE_SLICE CALL_KW
    LOAD_FAST_LOAD_FAST STORE_FAST_STORE_FAST STORE_FAST_LOAD_FAST CONVERT_VALUE FORMAT_SIMPLE FORMAT_WITH_SPEC
    SET_FUNCTION_ATTRIBUTE
""".split())

SCOPES = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.FunctionDef)

UNSAFE_NAMES = {
    "f_builtins", "f_code", "f_globals", "f_locals", "func_code", "func_globals", "co_code", "_co_code_adaptive", "mro",
    "tb_frame", "gi_code", "gi_frame", "gi_yieldfrom", "cr_await", "cr_code", "cr_frame", "ag_await", "ag_code", "ag_frame"}

BUILTINS = {name: getattr(builtins, name) for name in (
    "bytes str bool int float enumerate dict list tuple map abs min max sum filter sorted round len repr set all any ord"
    " chr divmod isinstance range zip Exception").split()}
BUILTINS |= {"True": True, "False": False, "None": None, "unicode": str, "xrange": range, "reduce": functools.reduce}


class Refused(Exception):
    """Odoo would refuse to store this text."""


def compile_action(text, filename):
    """The code object of an action's text, or Refused with the reason."""
    text = text.strip()
    code = compile(text, filename, "exec")
    _check_code(code)
    tree = ast.parse(text)
    _check_closures(tree)
    _check_loops(tree, in_loop=False)
    return code


def run_action(code, context):
    """Runs the code with `context` as its names; gives what it set as `action`."""
    scope = {**context, "__builtins__": BUILTINS}
    exec(code, scope)  # noqa: S102 (that is what a server action is)
    return scope.get("action")


def _check_code(code):
    for name in code.co_names:
        if "__" in name or name in UNSAFE_NAMES:
            raise Refused(f"forbidden name {name}")
    forbidden = {i.opname for i in dis.get_instructions(code)} - ALLOWED_OPCODES
    if forbidden:
        raise Refused(f"forbidden opcode(s) {', '.join(sorted(forbidden))} in {code.co_name}")
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            _check_code(const)


def _check_closures(tree):
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            local = _names(function, ast.Store) | {argument.arg for argument in function.args.args}
            for node in ast.walk(function):
                if isinstance(node, SCOPES) and node is not function:
                    caught = local & (_loads(node) - _names(node, ast.Store) - _arguments(node))
                    if caught:
                        raise Refused(f"closure over {', '.join(sorted(caught))}, line {node.lineno}")


def _names(node, context):
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, context)}


def _arguments(node):
    return {each.arg for each in ast.walk(node) if isinstance(each, ast.arg)}


def _loads(node):
    # What a comprehension goes over first is evaluated outside of it.
    outside = {id(each) for each in ast.walk(node.generators[0].iter)} if hasattr(node, "generators") else set()
    return {each.id for each in ast.walk(node)
            if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load) and id(each) not in outside}


def _check_loops(node, *, in_loop):
    if in_loop and isinstance(node, ast.Try):
        raise Refused(f"try inside a loop, line {node.lineno}")
    in_loop = (in_loop or isinstance(node, (ast.For, ast.While))) and not isinstance(node, (ast.FunctionDef, ast.Lambda))
    for child in ast.iter_child_nodes(node):
        _check_loops(child, in_loop=in_loop)
