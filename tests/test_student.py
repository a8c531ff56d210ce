"Students' copies: an unsolved one fails its checks, a solved one passes, and each planted mistake is named."
import ast, copy, functools, inspect, re, sys
from pathlib import Path

import nbformat, pytest, torch

root = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(root/'tools'), str(root/'tests/exercises')]
import student
from checks import results
from test_project import python

chapters = sorted(p.stem for p in student.checks.glob('[0-9]*.py'))

@functools.cache
def check_module(stem):
    "The file with a chapter's checks and mistakes, run"
    space = {'__name__': f'checks_of_{stem}'}
    exec(compile((student.checks/f'{stem}.py').read_text(), str(student.checks/f'{stem}.py'), 'exec'), space)
    return space

@functools.cache
def notebook(stem): return nbformat.read(student.nbs/f'{stem}.ipynb', 4)

@functools.cache
def answers(stem):
    "What the chapter's solutions define, with its imports and definitions, but without running the chapter"
    nb, space = notebook(stem), {'__name__': f'solutions_of_{stem}'}
    solutions = [nb.cells[j] for _,j in student.exercises(nb)]
    for c in nb.cells:
        if c.cell_type != 'code' or 'google.colab' in c.source: continue
        for node in ast.parse(python(c)).body:
            if isinstance(node, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)):
                if getattr(node, 'level', 0): node.module, node.level = f'collab_lesson.{node.module}', 0
                try: exec(compile(ast.Module([node], []), stem, 'exec'), space)
                except NameError:
                    if c in solutions: raise
    return space

checks = [(stem, name) for stem in chapters for name in check_module(stem) if name.startswith('check_')]
each = pytest.mark.parametrize('stem, name', checks, ids=[f'{stem}-{name[6:]}' for stem,name in checks])

def given(stem, name): return {o: answers(stem)[o] for o in inspect.signature(check_module(stem)[name]).parameters}

def shape(o):
    "What is compared when we say: the right type and shape"
    if isinstance(o, (tuple, list)): return type(o).__name__, [shape(x) for x in o]
    if hasattr(o, 'shape') and getattr(o, 'shape', None) != (): return type(o).__name__, tuple(o.shape)
    return 'number' if isinstance(o, (int, float)) or getattr(o, 'shape', None) == () else type(o).__name__

def recorded(f, calls):
    "The function, noting the shape of what it gives (a class: itself)"
    if not inspect.isfunction(f): return f
    @functools.wraps(f)
    def g(*args, **kwargs): calls.append(shape(res := f(*args, **kwargs))); return res
    return g

@each
def test_the_solution_is_right(stem, name):
    found = results(check_module(stem)[name], given(stem, name))
    assert found and all(ok for ok,_ in found), found

@each
def test_three_mistakes_are_named(stem, name):
    "Each planted answer runs, gives the right type and shape, and is told what its mistake is, which the other two are not told"
    check, right, mistakes = check_module(stem)[name], given(stem, name), check_module(stem)[f'wrong_{name[6:]}']
    assert len(mistakes) == 3
    said, kinds = {}, []
    results(check, {k: recorded(f, kinds) for k,f in right.items()})
    for message,answer in mistakes.items():
        wrong, calls = right | (answer if isinstance(answer, dict) else {next(iter(right)): answer}), []
        found = results(check, {k: recorded(f, calls) for k,f in wrong.items()})
        assert not any('it stopped with' in o for _,o in found), found
        assert calls[:1] == kinds[:1], f'{message}: another type or shape'
        said[message] = ' '.join(o for ok,o in found if not ok)
    for message in mistakes:
        assert [k for k,v in said.items() if message in v] == [message], said

@each
def test_the_stub_fails(stem, name):
    nb = notebook(stem)
    n = [o for s,o in checks if s==stem].index(name)
    source, _ = student.marked(nb.cells[student.exercises(nb)[n][1]].source, list(given(stem, name)))
    space = dict(answers(stem))
    for o in given(stem, name): del space[o]
    assert not all(ok for ok,_ in results(check_module(stem)[name], space))
    exec(student.unsolved(source), space)
    found = results(check_module(stem)[name], space)
    assert 'still the stub' in found[-1][1], found

@pytest.mark.parametrize('stem', chapters)
def test_copies(stem):
    "The students' copy is what nbgrader makes of the teachers'; no solution is left, and each exercise has its hint and its points"
    nb, teacher = student.copies(student.nbs/f'{stem}.ipynb')
    for o in (nb, teacher): nbformat.validate(o)
    by_id = {c.id: c for c in nb.cells}
    assert len(by_id) == len(nb.cells)
    n = sum(s==stem for s,_ in checks)
    for c in nb.cells:
        assert student.begin not in c.source and 'wrong_' not in c.source, c.id
        if c.cell_type == 'code': assert not c.outputs; compile(python(c), c.id, 'exec')
    assert sum(c.source.count('<summary>Hint</summary>') for c in nb.cells) == n
    for i in range(1, n+1):
        meta = [by_id[f'{o}-{i}'].metadata.nbgrader for o in ('exercise', 'check')]
        assert meta[0].solution and not meta[0].locked and meta[1].grade and meta[1].locked and meta[1].points in (1, 2, 3)
    shared = [o for o in ast.parse(by_id['checks'].source).body if not isinstance(o, (ast.Import, ast.ImportFrom))]
    names = [getattr(o, 'name', None) or o.targets[0].id for o in shared]
    assert all(o[0]=='_' or o in ('NotYet', 'near', 'watched', 'same', 'results', 'report') for o in names), 'would overwrite what a student has'
    if 'nbgrader' in sys.modules or pytest.importorskip('nbgrader', reason='pip install nbgrader'):
        from nbgrader.preprocessors import ClearSolutions
        cleared, _ = ClearSolutions().preprocess(copy.deepcopy(teacher), {})
        assert [c.source for c in cleared.cells] == [c.source for c in nb.cells]
