"Students' copies: an unsolved one fails its checks, a solved one passes, and each planted mistake is named."
import ast, copy, functools, inspect, os, re, sys
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

def patches_what_it_imports(node, space):
    "A method that the chapter adds to a class of another one: run here it would change that class for all other tests"
    if not any('patch' in ast.unparse(o) for o in getattr(node, 'decorator_list', [])): return False
    cls = space.get(ast.unparse(node.args.args[0].annotation))
    return cls is not None and cls.__module__ != space['__name__']

@functools.cache
def answers(stem):
    "What the chapter's solutions define, with its imports and definitions, but without running the chapter"
    nb, space = notebook(stem), {'__name__': f'solutions_of_{stem}'}
    solutions = [nb.cells[j] for _,j in student.exercises(nb)]
    for c in nb.cells:
        if c.cell_type != 'code' or 'google.colab' in c.source: continue
        for node in ast.parse(python(c)).body:
            if isinstance(node, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)):
                if patches_what_it_imports(node, space): continue
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
    if isinstance(o, list) and all(isinstance(x, str) for x in o): return 'names'
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

def test_an_answer_that_cannot_be_called():
    "What is raised outside the answer is a message, too: the check itself goes on"
    check = check_module('01_data')['check_density']
    (ok, message), = results(check, dict(density=lambda: 1))
    assert not ok and 'it stopped with TypeError' in message

@pytest.mark.parametrize('stem', chapters)
def test_copies(stem):
    "The students' copy is what nbgrader makes of the teachers'; no solution is left, and each exercise has its hint and its points"
    nb, teacher = student.copies(student.nbs/f'{stem}.ipynb')
    for o in (nb, teacher): nbformat.validate(o)
    by_id = {c.id: c for c in nb.cells}
    assert len(by_id) == len(nb.cells)
    n = sum(s==stem for s,_ in checks)
    for c in nb.cells:
        assert student.begin not in c.source and 'wrong_' not in c.source and 'colab.research' not in c.source, c.id
        if re.search(r'^(bet|quiz)\(', c.source, re.M): assert c.metadata.jupyter.source_hidden, 'its code has the answer'
        if c.cell_type == 'code': assert not c.outputs; compile(python(c), c.id, 'exec')
    assert sum(c.source.count('<summary>Hint</summary>') for c in nb.cells) == n
    for i in range(1, n+1):
        meta = [by_id[f'{o}-{i}'].metadata.nbgrader for o in ('exercise', 'check')]
        assert meta[0].solution and not meta[0].locked and meta[1].grade and meta[1].locked and meta[1].points in (1, 2, 3)
    shared = [o for o in ast.parse(by_id['checks'].source).body if not isinstance(o, (ast.Import, ast.ImportFrom))]
    assert '@contextlib.contextmanager\ndef _watched' in by_id['checks'].source
    names = [getattr(o, 'name', None) or o.targets[0].id for o in shared]
    assert all(o[0]=='_' or o=='NotYet' for o in names), 'would overwrite what a student has'
    if 'nbgrader' in sys.modules or pytest.importorskip('nbgrader', reason='pip install nbgrader'):
        from nbgrader.preprocessors import ClearSolutions
        cleared, _ = ClearSolutions().preprocess(copy.deepcopy(teacher), {})
        assert [c.source for c in cleared.cells] == [c.source for c in nb.cells]

def run(nb, folder):
    "A copy as a learner runs it, from top to bottom; errors stay in the outputs"
    from nbclient import NotebookClient
    NotebookClient(nb, timeout=1200, allow_errors=True, resources={'metadata': {'path': str(folder)}}).execute()
    return {c.id: c for c in nb.cells}

def text(cell): return ''.join(o.get('text', '') or o.get('evalue', '') for o in cell.outputs)

in_full = [pytest.param(o, marks=[] if o=='01_data' else pytest.mark.slow) for o in chapters]

@pytest.mark.parametrize('stem', in_full)
def test_whole_copies(stem, tmp_path):
    "The students' copy runs to its end, and its checks alone fail, saying why; the teachers' has no error at all"
    student_nb, teacher_nb = student.copies(student.nbs/f'{stem}.ipynb')
    os.environ['PYTHONPATH'] = os.pathsep.join([str(root), os.environ.get('PYTHONPATH', '')])
    done = run(student_nb, student.nbs)
    failed = {id for id,c in done.items() if c.cell_type=='code' and any(o.output_type=='error' for o in c.outputs)}
    n = sum(s==stem for s,_ in checks)
    assert {f'check-{i}' for i in range(1, n+1)} <= failed and all(re.match('(check|try|exercise)-', o) for o in failed), failed
    assert all('✗ not yet' in text(done[f'check-{i}']) and '✓' not in text(done[f'check-{i}']) for i in range(1, n+1))
    done = run(teacher_nb, student.nbs)
    errors = {id: text(c) for id,c in done.items() if c.cell_type=='code' and any(o.output_type=='error' for o in c.outputs)}
    assert not errors
    assert all('✓' in text(done[f'check-{i}']) for i in range(1, n+1))

def test_nbgrader(tmp_path):
    "`nbgrader validate` fails on what is not solved and passes the rest; autograding gives the points of what is right"
    pytest.importorskip('nbgrader', reason='pip install nbgrader')
    from nbgrader.preprocessors import Execute, SaveCells, OverwriteCells, DeduplicateIds
    from nbgrader.utils import determine_grade, is_grade
    from nbgrader.validator import Validator
    from traitlets.config import Config
    nb, teacher = student.copies(student.nbs/'01_data.ipynb')
    half = nbformat.from_dict(nb)
    solved = {c.id: c.source for c in teacher.cells}
    for c in half.cells:  # a learner who has solved the first of three
        if c.id == 'exercise-1': c.source = solved[c.id]
    keep = [c for c in half.cells if c.metadata.get('nbgrader') and not c.id.startswith('try')]
    imports = [c for c in half.cells if c.cell_type=='code' and 'google.colab' not in c.source and re.search('^(import|from) ', c.source, re.M) and 'nbgrader' not in c.metadata]
    half.cells = imports + keep
    nbformat.write(half, tmp_path/'half.ipynb')
    found = Validator(config=Config()).validate(str(tmp_path/'half.ipynb'))
    assert {o['source'].partition('(')[0] for o in found['failed']} == {'def check_best_titles', 'def check_mse_of_means'}, found
    done = run(half, tmp_path)
    grades = {id: determine_grade(c) for id,c in done.items() if is_grade(c)}
    assert grades == {'check-1': (1, 1), 'check-2': (0, 2), 'check-3': (0, 3)}
