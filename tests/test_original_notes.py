"Every cell of the original notes, rewritten on our library in original_notes.ipynb, runs from the imports to the last training."
import json
from pathlib import Path

import nbformat, pytest
from nbclient import NotebookClient
from common import movielens

notebook = Path(__file__).with_name('original_notes.ipynb')

def executed(tmp_path, monkeypatch, epochs=None):
    "Run the notebook in an empty folder, and return the last validation loss of each of its trainings"
    monkeypatch.setenv('COLLAB_LESSON_DATA', str(movielens()))
    if epochs: monkeypatch.setenv('LESSON_EPOCHS', str(epochs))
    else: monkeypatch.delenv('LESSON_EPOCHS', raising=False)
    nb = nbformat.read(notebook, 4)
    NotebookClient(nb, timeout=600, kernel_name='python3', extra_arguments=['--log-level=ERROR'], resources={'metadata': {'path': str(tmp_path)}}).execute()
    code = [o for o in nb.cells if o.cell_type=='code']
    assert [o.execution_count for o in code]==[*range(1, len(code)+1)] and not [*tmp_path.iterdir()]
    return json.loads(code[-1].outputs[-1].text)

trainings = ['DotProduct', 'DotProduct again', 'DotProductBias', 'DotProductBias, continued', 'DotProductBiasCustom']

def test_notes_run(tmp_path, monkeypatch):
    "A quarter of an epoch for each training"
    valid = executed(tmp_path, monkeypatch, epochs=.25)
    assert list(valid)==trainings
    assert max(valid['DotProduct'], valid['DotProduct again']) < 8, 'a fresh one starts at 13.7'
    assert max(valid[o] for o in trainings[2:]) < 1.4, 'a fresh one starts at 1.9'
    assert valid['DotProductBias, continued'] < valid['DotProductBias'] - .05

@pytest.mark.slow
def test_notes_give_their_numbers(tmp_path, monkeypatch):
    "Five epochs, as in the notes, whose printed losses ours must meet within .03"
    printed = [.8743, .8864, .9528, .8903, .8536]
    assert executed(tmp_path, monkeypatch)==pytest.approx(dict(zip(trainings, printed)), abs=.03)

def test_notebook_is_kept_clean():
    nb = nbformat.read(notebook, 4)
    nbformat.validate(nb)
    assert not [o for o in nb.cells if o.get('outputs') or o.get('execution_count')]
    assert nb.cells[1].source.startswith('from collab_lesson.all import *\n')
    imports = [o for c in nb.cells if c.cell_type=='code' for o in c.source.splitlines() if 'import ' in o]
    assert imports==['from collab_lesson.all import *', 'import json, os'], 'everything else must come from there'
