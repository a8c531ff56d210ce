"What teachers get: the index of names, slides, and sheets to print."
import ast, re, shutil, sys
from pathlib import Path

import nbformat, pytest

root = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(root/'tools'))
import handouts, student

def shown(stem): return '\n'.join(''.join(o.data['text/markdown']) for c in nbformat.read(student.nbs/f'{stem}.ipynb', 4).cells if c.cell_type=='code' for o in c.outputs if 'text/markdown' in o.get('data', {}))

def exported(path):
    for o in ast.parse(path.read_text()).body:
        if isinstance(o, ast.Assign) and getattr(o.targets[0], 'id', '') == '__all__' and isinstance(o.value, ast.List): return ast.literal_eval(o.value)
    return []

@pytest.mark.parametrize('path', [o for o in sorted((root/'collab_lesson').glob('*.py')) if exported(o)], ids=lambda o: o.stem)
def test_every_name_is_in_the_index(path):
    listed = set(re.findall(r'^\* \[?\*\*(\w+)\*\*', shown('names'), re.M))
    missing = set(exported(path)) - listed
    assert not missing, f'run `make execute ARGS=names`: {missing}'

def test_no_name_in_the_index_has_gone():
    there = {name for o in (root/'collab_lesson').glob('*.py') for name in exported(o)}
    listed = re.findall(r'^\* \[?\*\*(\w+)\*\*', shown('names'), re.M)
    assert set(listed) <= there

def test_each_chapter_is_on_the_teachers_page():
    text = shown('teaching')
    for o in student.nbs.glob('[0-8]*.ipynb'):
        if not o.name.startswith('00'): assert f']({o.name}) |' in text, f'run `make execute ARGS=teaching`: {o.name}'

def test_short():
    s = handouts.short('## A head\nOne. Two. Three.\n\n' + 'Long words are here. '*40 + '\n\n* a\n* b')
    assert s.startswith('## A head\n\nOne. Two.') and 'Three' not in s
    assert handouts.short('# Title\n\n> Promise.') == '# Title\n\n> Promise.'

@pytest.mark.parametrize('path', sorted(student.nbs.glob('0[1-9]_*.ipynb')), ids=lambda o: o.stem)
def test_slides(path):
    "Parts I and II have slides, which load nothing from elsewhere; each picture says what it shows"
    page = handouts.slide_page(path)
    assert len(re.findall('<section', page)) >= 12
    assert not re.findall(r'<(?:script|link|img|iframe)[^>]*(?:src|href)="(?:https?:)?//', page) and 'cdnjs' not in page
    assert '$$' not in page and not re.search(r'\\(?:frac|sum|sigma)\b(?![^<]*</annotation>)', page)
    assert not re.findall(r'<img(?![^>]*alt="[^"]{20})[^>]*>', page)
    assert 'ipynb' not in re.sub(r'<title>.*?</title>', '', page)

def test_nbdev_keeps_what_marks_a_slide():
    assert 'slideshow' in student.ini['DEFAULT']['allowed_cell_metadata_keys'].split()

@pytest.mark.network
@pytest.mark.skipif(not shutil.which('npm'), reason='no npm on this machine')
def test_slides_run_in_a_browser_without_a_network(browser, tmp_path):
    done = handouts.slides(tmp_path)
    page, asked, errors = browser.new_page(), [], []
    page.on('request', lambda r: asked.append(r.url)); page.on('pageerror', lambda e: errors.append(str(e)))
    for o in done:
        page.goto((tmp_path/f'{o}.html').as_uri())
        page.wait_for_function('window.Reveal && Reveal.isReady()')
        for _ in range(page.evaluate('Reveal.getTotalSlides()')):
            low = page.evaluate('Math.max(...[...Reveal.getCurrentSlide().children].map(o => o.getBoundingClientRect().bottom))')
            assert low <= page.viewport_size['height'] + 5, (o, page.url)
            page.evaluate('Reveal.next()')
    assert not errors and all(o.startswith(('file:', 'data:')) for o in asked)
    page.close()

def test_sheets(tmp_path):
    "Every task of every chapter, and no solution"
    done = dict(handouts.sheets(tmp_path))
    for path in student.nbs.glob('*.ipynb'):
        nb = nbformat.read(path, 4)
        at = student.exercises(nb)
        assert done.get(path.stem, 0) == len(at)
        if not at: continue
        page = (tmp_path/f'{path.stem}.html').read_text()
        assert page.count('<section>') == len(at) and all(f'<strong>{i}.</strong>' in page for i in range(1, len(at)+1))
        assert 'Solution' not in page and 'assert ' not in page and '$' not in page and 'http' not in re.sub('href="[^"]*"|>https?:[^<]*', '', page)
