"""Break a claim of the book and watch its assert fail.

Each entry of `claims/*.json` is one line of source to break, and the cell whose assert states the claim. The notebook runs
with the broken line, as `nbdev_test` would run it: there must be an AssertionError in that cell, and no error in any cell before it."""
import json, os, subprocess, sys
from pathlib import Path

import pytest

root = Path(__file__).resolve().parent.parent
keys = ['claim', 'notebook', 'cell', 'find', 'replace']
claims = [(o.name, entry) for o in sorted((root/'tests/claims').glob('*.json')) for entry in json.loads(o.read_text(encoding='utf-8'))]

def name_of(o): return f"{o[1].get('notebook')}: {o[1].get('claim', '')[:70]}"

def path_of(entry): return root/'nbs'/f"{entry['notebook']}.ipynb"

def code_cells(path):
    "What `nbdev_test` runs of a notebook, in order, and the code cells that it leaves out: gpu, slow, network, `eval: false`"
    from nbdev.config import get_config
    from nbdev.process import NBProcessor
    flags = set(get_config(path=root).tst_flags.split())
    cells = [o for o in NBProcessor(path).nb.cells if o.cell_type == 'code']
    for i,o in enumerate(cells): o.idx_ = i
    left_out = lambda o: 'nbdev_export(' in o.source or o.directives_.get('eval:', [''])[0].lower() == 'false' or flags & o.directives_.keys()
    return [o for o in cells if not left_out(o)], [o for o in cells if left_out(o)]

def check_entry(entry, path):
    "Raise ValueError unless `entry` names one line and one cell that run, the line not behind the cell"
    if sorted(entry) != sorted(keys): raise ValueError(f'an entry has the keys {keys}, but this one has {list(entry)}')
    find, replace = entry['find'], entry['replace']
    if not path.is_file(): raise ValueError(f'no notebook {path.name}')
    if not find.strip() or '\n' in find: raise ValueError(f'`find` must be one line: {find!r}')
    if find == replace: raise ValueError(f'`replace` breaks nothing: {find!r}')
    cells, left_out = code_cells(path)
    if entry['cell'] in [o.id for o in left_out]: raise ValueError(f"cell {entry['cell']} of {path.name} is flagged: tests do not run it")
    if entry['cell'] not in [o.id for o in cells]: raise ValueError(f"no code cell {entry['cell']} in {path.name}")
    where = [o.id for o in cells + left_out for _ in range(o.source.count(find))]
    if len(where) != 1: raise ValueError(f'{find!r} is {len(where)} times in {path.name}{" (cells " + ", ".join(where) + ")" if where else ""}: it must be there once')
    order = [o.id for o in cells]
    if where[0] not in order: raise ValueError(f'{find!r} is in a cell that is flagged: tests do not run it')
    if order.index(where[0]) > order.index(entry['cell']): raise ValueError(f"{find!r} is behind cell {entry['cell']}")
    if not any(o in cells[order.index(entry['cell'])].source for o in ('assert', 'test_')): raise ValueError(f"cell {entry['cell']} asserts nothing")

def run_broken(entry, path):
    "Run a notebook with its line broken, up to the cell of the claim; gives [cell, error, message] of the first error, or None"
    from execnb.shell import CaptureShell
    os.environ['IN_TEST'] = '1'
    cells,_ = code_cells(path)
    for o in cells: o.source = o.source.replace(entry['find'], entry['replace'])
    sys.path.insert(0, str(root))
    os.chdir(path.parent)
    shell = CaptureShell(path)
    for o in cells:
        shell.cell(o)
        if shell.exc: return [o.id, [c.__name__ for c in type(shell.exc).__mro__], str(shell.exc)[:2000]]
        if o.id == entry['cell']: return None

def replay(entry, path, timeout=900):
    "Raise AssertionError unless the broken line ends in an AssertionError in the cell of the claim; the run is a process of its own"
    check_entry(entry, path)
    env = os.environ | dict(MPLBACKEND='Agg', OMP_NUM_THREADS='1', PYTHONPATH=str(root), PYTHONUTF8='1')
    r = subprocess.run([sys.executable, __file__, str(path)], input=json.dumps(entry), capture_output=True, text=True, encoding='utf-8', env=env, cwd=root, timeout=timeout)
    assert r.returncode == 0, f'the run itself failed:\n{r.stderr[-3000:]}'
    end = json.loads(r.stdout.splitlines()[-1])
    broken = f"with {entry['replace'].strip()!r} for {entry['find'].strip()!r}"
    assert end, f"{broken} the claim still passes: {entry['claim']}"
    cell, kinds, message = end
    assert cell == entry['cell'], f"{broken} the notebook ends in cell {cell}, before the claim in cell {entry['cell']}: {kinds[0]}: {message}"
    assert 'AssertionError' in kinds, f"{broken} the claim's cell ends in {kinds[0]}, no AssertionError: {message}"


@pytest.mark.parametrize('o', claims, ids=name_of)
def test_each_entry_names_one_line_and_one_cell(o): check_entry(o[1], path_of(o[1]))

def test_no_claim_is_there_twice():
    assert claims and len({name_of(o) for o in claims}) == len(claims)

@pytest.mark.slow
@pytest.mark.parametrize('o', claims, ids=name_of)
def test_a_broken_line_breaks_its_claim(o):
    from common import movielens
    movielens()  # skips where there are no ratings
    replay(o[1], path_of(o[1]))


# the replay itself, on a notebook of five cells

sources = dict(a='#| export\ndef double(x):\n    y = x\n    return y + x', b='from math import sqrt\nassert sqrt(4) == 2',
               c='#| slow\nassert False, "never run"', d='x = [1, 2]\nprint(double(x[1]))', e='assert double(3) == 6', f='assert 1 == 2')

@pytest.fixture
def notebook(tmp_path):
    cell = lambda k, s: dict(cell_type='code', id=k, metadata={}, outputs=[], execution_count=None, source=s)
    text = dict(cell_type='markdown', id='m', metadata={}, source='    y = x')
    (path := tmp_path/'small.ipynb').write_text(json.dumps(dict(cells=[text] + [cell(*o) for o in sources.items()], metadata={}, nbformat=4, nbformat_minor=5)))
    return path

def entry(**kw): return dict(claim='double doubles', notebook='small', cell='e', find='    y = x', replace='    y = 0') | kw

def test_replay_accepts_a_break_that_is_seen(notebook): replay(entry(), notebook)

@pytest.mark.parametrize('kw, says', [
    (dict(replace='    y = x + 0'), 'the claim still passes: double doubles'),
    (dict(find='sqrt(4) == 2', replace='sqrt(4) == 3'), 'ends in cell b, before the claim in cell e: AssertionError'),
    (dict(replace='    y = z'), "ends in cell d, before the claim in cell e: NameError: name 'z'"),
    (dict(find='double(3) == 6', replace='double(3) = 6'), "the claim's cell ends in SyntaxError"),
])
def test_replay_refuses_a_break_that_proves_nothing(notebook, kw, says):
    with pytest.raises(AssertionError) as e: replay(entry(**kw), notebook)
    assert says in str(e.value)

@pytest.mark.parametrize('kw, says', [
    (dict(find='x', replace='y'), "'x' is 5 times in small.ipynb (cells a, a, a, d, d)"),
    (dict(find='y = x + 1'), 'is 0 times in small.ipynb: it must be there once'),
    (dict(find='    y = x\n    return y + x'), 'must be one line'),
    (dict(find='  '), 'must be one line'),
    (dict(replace='    y = x'), 'breaks nothing'),
    (dict(cell='z'), 'no code cell z'),
    (dict(cell='m'), 'no code cell m'),
    (dict(cell='c'), 'cell c of small.ipynb is flagged'),
    (dict(find='never run', replace='run'), 'in a cell that is flagged'),
    (dict(find='1 == 2', replace='1 == 3'), 'is behind cell e'),
    (dict(cell='d'), 'cell d asserts nothing'),
    (dict(line=3), 'an entry has the keys'),
])
def test_wrong_entries_are_named(notebook, kw, says):
    with pytest.raises(ValueError) as e: check_entry(entry(**kw), notebook)
    assert says in str(e.value)

if __name__ == '__main__': print('\n' + json.dumps(run_broken(json.load(sys.stdin), Path(sys.argv[1]))))
