"The deck for Anki that `make cards` writes."
import json, re, shutil, sqlite3, sys, zipfile
import pytest
from common import root

pytest.importorskip('genanki')
sys.path.insert(0, str(root/'tools'))
import cards

def test_deck(tmp_path):
    path, notes = cards.write(tmp_path/'a.apkg')
    assert len(notes)>=150
    guids = [o.guid for o in notes]
    assert len(set(guids))==len(guids) and guids==[o.guid for o in cards.write(tmp_path/'b.apkg')[1]]
    pages = {cards.address(o.stem) for o in (root/'nbs').glob('*.ipynb')}
    for o in notes:
        assert all(o.fields) and o.fields[3] in pages
        assert '&#36;' not in o.fields[1], f'a formula that was not found: {o.fields}'
        assert '$' not in ''.join(o.fields) and 'MATHX' not in ''.join(o.fields), o.fields
    with zipfile.ZipFile(path) as z: z.extract('collection.anki2', tmp_path)
    db = sqlite3.connect(tmp_path/'collection.anki2')
    assert db.execute('select count(*) from notes').fetchone()==(len(notes),)
    db.close()

def test_a_changed_answer_keeps_its_history(tmp_path):
    def deck(answer):
        cell = dict(cell_type='markdown', source=f'# Bias\n<details><summary><b>1. Why $b$?</b></summary>\n\n{answer}\n\n</details>')
        (tmp_path/'07_bias.ipynb').write_text(json.dumps(dict(cells=[cell])))
        return cards.write(tmp_path/'a.apkg', tmp_path)[1][0]
    a,b = deck('Since $x<1$.'), deck('Otherwise.')
    assert a.guid==b.guid and a.fields[1]!=b.fields[1]
    assert r'\(b\)' in a.fields[0] and r'\(x&lt;1\)' in a.fields[1]
