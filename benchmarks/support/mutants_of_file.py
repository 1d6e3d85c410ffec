"""The mutants of one file, as mutmut makes and numbers them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One mutant, by mutmut's name, where it is, and what it changes."""

    name: str
    file: str
    line: int
    before: str
    after: str
    function: str
    """Digest of the function's source."""

    @property
    def place(self) -> str:
        """File and line."""
        return f"{self.file}:{self.line}"


def mutants_of(file: Path, name: Path) -> tuple[str, list[Mutant]]:
    """Return a file's code with its mutants, and the mutants, numbered as mutmut numbers them."""
    import libcst as cst
    from libcst.metadata import MetadataWrapper, PositionProvider
    from mutmut.mutation import file_mutation as mutmut
    from mutmut.mutation.mutators import mutation_operators
    from mutmut.mutation.pragma_handling import get_ignored_lines
    from mutmut.mutation.trampoline_templates import mangle_function_name

    code = file.read_text("utf-8")
    wrapper = MetadataWrapper(cst.parse_module(code))
    visitor = mutmut.MutationVisitor(
        mutation_operators, get_ignored_lines(str(file), code, wrapper, None), None
    )
    module = wrapper.visit(visitor)
    positions = wrapper.resolve(PositionProvider)
    classes = {
        child: node.name.value
        for node in wrapper.module.body
        if isinstance(node, cst.ClassDef)
        for child in node.body.body
    }
    dotted = ".".join(name.with_suffix("").parts)
    found: list[Mutant] = []
    for function, mutations in mutmut.group_by_top_level_node(visitor.mutations).items():
        if not isinstance(function, cst.FunctionDef):
            continue
        mangled = mangle_function_name(name=function.name.value, class_name=classes.get(function))
        digest = hashlib.sha256(module.code_for_node(function).encode()).hexdigest()
        found += [
            Mutant(
                name=f"{dotted}.{mangled}__mutmut_{number}",
                file=str(name),
                line=positions[mutation.original_node].start.line,
                before=module.code_for_node(mutation.original_node),
                after=module.code_for_node(mutation.mutated_node),
                function=digest,
            )
            for number, mutation in enumerate(mutations, start=1)
        ]
    combined = mutmut.combine_mutations_to_source(
        module, visitor.mutations, visitor.ignored_classes, visitor.ignored_functions
    )
    return combined.code, found
