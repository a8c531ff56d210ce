"The repository keeps its own rules: one place for each fact, clean notebooks, imports that run down the table of contents."
import ast, re, subprocess, sys
from pathlib import Path

import nbformat, pytest, yaml

root = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(root/'tools'))
import book

cfg = book.cfg
notebooks = sorted((root/cfg['nbs_path']).glob('*.ipynb'))
chapters = {p.stem.split('_', 1)[1]: int(p.stem[:2]) for p in notebooks if re.match(r'\d\d_', p.stem)}
by_name = dict(ids=lambda p: p.stem)


# one place for each fact

def names(requirements): return {re.split(r'[<>=!~;\[]', o)[0] for o in requirements.split()}

def test_every_requirement_is_pinned():
    lines = [o for o in (root/'constraints.txt').read_text().splitlines() if o and o[0] != '#']
    pins = dict(o.split('==') for o in lines)
    assert len(pins) == len(lines), 'a package is pinned twice'
    wanted = names(cfg['requirements']) | names(cfg['dev_requirements'])
    unpinned = wanted - {o.lower() for o in pins} - {'pip'}
    assert not unpinned, f'add to constraints.txt: {unpinned}'

def test_pins_are_within_the_ranges():
    from packaging.requirements import Requirement
    pins = dict(re.findall(r'^([\w.-]+)==(\S+)', (root/'constraints.txt').read_text(), re.M))
    for o in map(Requirement, f"{cfg['requirements']} {cfg['dev_requirements']}".split()):
        if o.name in pins: assert o.specifier.contains(pins[o.name]), f'{o} in settings.ini, =={pins[o.name]} in constraints.txt'

def test_version_is_the_same_everywhere():
    import collab_lesson
    assert collab_lesson.__version__ == cfg['version']
    assert yaml.safe_load((root/'CITATION.cff').read_text())['version'] == cfg['version']
    assert f"## [{cfg['version']}]" in (root/'CHANGELOG.md').read_text()

@pytest.mark.parametrize('path', sorted((root/'.github/workflows').glob('*.yml')), **by_name)
def test_workflow(path):
    flow = yaml.safe_load(path.read_text())
    assert flow['permissions'] == {'contents': 'read'}, 'start from the least that works'
    assert flow['jobs'] and flow[True], 'needs jobs, and `on:`, which YAML reads as true'
    for job in flow['jobs'].values():
        for step in job['steps']: assert ('uses' in step) != ('run' in step), step

def test_readme_is_fresh(): assert book.readme_is_fresh(), 'run `make readme`'

def test_sidebar_lists_every_notebook():
    assert (root/'nbs/_quarto.yml').resolve() == root/'_quarto.yml'
    listed = re.findall(r'href: (\w+\.ipynb)', (root/'_quarto.yml').read_text().partition('sidebar:')[2])
    assert len(listed) == len(set(listed))
    assert {p.name for p in notebooks} <= set(listed)  # it may list a chapter that is not written yet: tools/pages.py leaves it out

def markdown(path): return '\n\n'.join(c.source for c in nbformat.read(path, 4).cells if c.cell_type == 'markdown')

def test_the_map_is_up_to_date():
    "The first page was run after the last chapter changed its title, its promise or its length"
    text = (root/'nbs/index.ipynb').read_text()
    for p in notebooks:
        if p.stem == 'index': continue
        minutes = re.search(r'(\d+) minutes to read', markdown(p))
        row = re.search(rf'\[([^][\n]*)\]\({p.name}\) \| (.*?) \| (\d*) \|', text)
        assert row and (row[1], row[3]) == (re.search('^# (.*)', markdown(p), re.M)[1], minutes[1] if minutes else ''), f'{p.stem}: run `make execute ARGS=index`'

@pytest.mark.parametrize('path', [p for p in notebooks if p.stem[:2].isdigit()], **by_name)
def test_badge_and_installer(path):
    nb = nbformat.read(path, 4)
    assert not book.pages.refresh(nb, path.stem, cfg), 'run `make badges`'
    assert 'google.colab' in nb.cells[0].source

def test_every_reference_is_in_the_bibliography():
    known = {o.lower() for e in book.pages.bibliography(root/'nbs/references.bib') for o in (e.get('doi'), e.get('eprint')) if o}
    missing = {o: p.stem for p in notebooks if p.stem[:2].isdigit() for o in book.pages.identifiers(markdown(p)) - known}
    assert not missing, f'add to nbs/references.bib: {missing}'

def test_glossary():
    terms = book.pages.glossary(root/'nbs/glossary.ipynb')
    assert len({anchor for anchor,_ in terms.values()}) > 30
    link = lambda text, **kw: re.sub(r' title="[^"]*"', '', book.pages.link_terms(text, terms, set()))
    assert link('A dot product, a dot product.') == 'A [dot product](glossary.ipynb#dot-product){.term}, a dot product.'
    assert link('one hot and mini-batches') == '[one hot](glossary.ipynb#one-hot-vector){.term} and [mini-batches](glossary.ipynb#batch){.term}'
    for o in ['# Bias', '`bias` and $bias$', '[the bias](a.ipynb)', '<summary>Bias?</summary>', '    bias', '```\nbias\n```', 'unbiased, bias-free']: assert link(o) == o

def test_each_of_the_31_questions_has_its_place():
    rows = re.findall(r'^\| (\d+) \| (.+?) \| \[.+\]\((\w+)\.ipynb#(\S+)\) \| (.+) \|$', markdown(root/'nbs/questions.ipynb'), re.M)
    assert [int(o[0]) for o in rows] == list(range(1, 32)) and len({o[1] for o in rows}) == 31
    def anchors(name): return {re.sub(r'\s+', '-', re.sub(r'[^\w\s.-]', '', o.lower()).strip()) for o in re.findall(r'^#+ (.+)', markdown(root/f'nbs/{name}.ipynb'), re.M)}
    missing = [(n, name, anchor) for n,_,name,anchor,_ in rows if anchor not in anchors(name)]
    assert not missing, f'no such section: {missing}'


# what is committed

def committed(): return subprocess.run(['git', 'ls-files'], cwd=root, capture_output=True, text=True, check=True).stdout.split('\n')[:-1]

@pytest.mark.skipif(not (root/'.git').exists(), reason='not a git checkout')
def test_no_data_is_committed():
    data = re.compile(r'(^|/)u\d?\.(data|item|user|genre|info|base|test)$|\.(inter|csv|parquet|zip|gz|whl|pth?|pkl|npy)$')
    assert not [o for o in committed() if data.search(o)]
    big = [o for o in committed() if (root/o).is_file() and (root/o).stat().st_size > 5e6]
    assert not big, f'over 5 MB: {big}'

def code_cells(path): return [c for c in nbformat.read(path, 4).cells if c.cell_type == 'code']

def python(cell):
    "A cell's code without magics"
    return '' if cell.source.lstrip().startswith('%%') else re.sub(r'^( *)[%!].*', r'\1pass', cell.source, flags=re.M)

@pytest.mark.parametrize('path', notebooks, **by_name)
def test_notebook_has_its_outputs(path):
    outputs = [o for c in code_cells(path) for o in c.outputs]
    assert outputs or not code_cells(path), f'run `make execute ARGS={path.stem}`'
    assert [f'{o.ename}: {o.evalue}' for o in outputs if o.output_type == 'error'] == []

@pytest.mark.parametrize('path', notebooks, **by_name)
def test_figures_have_their_pictures(path):
    "Each cell with a figure's label has one. (Run with another backend in MPLBACKEND, 54 of 60 once had none.)"
    bare = []
    for c in code_cells(path):
        label = re.search(r'^#\|\s*label:\s*(fig-\S+)', c.source, re.M)
        if label and not any(k.startswith('image/') for o in c.outputs for k in o.get('data', {})): bare.append(label[1])
    assert not bare, f'run `make execute ARGS={path.stem}`'

@pytest.mark.parametrize('path', notebooks, **by_name)
def test_figures_are_small(path):
    "As SVG below 300 KB, where thousands of marks are one picture inside (tools/figures.py); otherwise a PNG"
    sizes = [len(v) for c in code_cells(path) for o in c.outputs for k,v in o.get('data', {}).items() if k.startswith('image/')]
    assert max(sizes, default=0) < 300_000

@pytest.mark.parametrize('path', notebooks, **by_name)
def test_figures_are_legible_on_a_phone(path):
    "In 343 pixels, the column of a phone, a figure is at least .7 of its size: 10 points are 9 pixels, or more"
    for c in code_cells(path):
        for o in c.outputs:
            if svg := o.get('data', {}).get('image/svg+xml'):
                small = o.metadata.get('image/svg+xml', {}).get('narrow') or svg
                assert 343/book.pages._svg_size(small)[0] >= .69, f'{c.id}: run `make execute ARGS={path.stem}`'

longest = 88  # letters: what a page shows without scrolling, in a column of 50rem (tests/test_site.py measures that)

def too_long(source):
    "Lines of code that are longer, but for those that nobody can break: a single string or address, and `#|` lines, which no page shows"
    def unbreakable(o): return re.fullmatch(r"""[\s(\[{]*[rfbu]*(["'])\S*\1[\s)\]},;:]*|\s*#\s*https?://\S+""", o)
    return [o for o in source.splitlines() if len(o) > longest and not o.startswith('#|') and not unbreakable(o)]

def test_too_long():
    test = 'x = ' + '1 + '*30
    assert too_long(f'y = 1\n{test}') == [test] and not too_long('x'*longest) and too_long('x'*(longest + 1))
    assert not too_long(f'#| fig-alt: "{"long "*30}"') and not too_long(f'    "https://example.org/{"x"*90}",') and not too_long(f'# https://example.org/{"x"*90}')
    assert too_long(f'f("{"a b "*30}")')

@pytest.mark.parametrize('path', notebooks, **by_name)
def test_lines_of_code_fit_the_page(path):
    found = {c.id: lines for c in code_cells(path) if (lines := too_long(c.source))}
    assert not found, f'{sum(map(len, found.values()))} lines of over {longest} letters'


# imports run down the table of contents

def imported(source):
    "Chapters that Python code imports, as collab_lesson.x or, within the package, as .x"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import): found = [o.name for o in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = f'collab_lesson.{node.module or ""}'.rstrip('.') if node.level else node.module
            found = [module] + [f'{module}.{o.name}' for o in node.names]
        else: continue
        for o in found:
            m = re.match(r'collab_lesson\.(\w+)', o)
            if m and m[1] in chapters: yield m[1]

def sources(path):
    "A chapter's code: its notebook's cells without magics, and the module it exports"
    yield from map(python, code_cells(path))
    module = root/cfg['lib_path']/f'{path.stem[3:]}.py'
    if module.exists(): yield module.read_text()

@pytest.mark.parametrize('path', [p for p in notebooks if p.stem[:2].isdigit()], **by_name)
def test_imports_run_down_the_table_of_contents(path):
    me = path.stem[3:]
    for source in sources(path):
        for other in set(imported(source)) - {me}:
            if not chapters[me]:  # the rooms before chapter 1
                assert (me, other) == ('movielens', 'ratings'), f'{path.name} imports {other}; of these rooms only 00_movielens imports one, 00_ratings'
                continue
            assert other != 'cli', f'{path.name} imports 91_cli; nothing may'
            assert chapters[other] < chapters[me], f'{path.name} imports {other}, which comes later'

@pytest.mark.parametrize('path', notebooks, **by_name)
def test_imports_are_in_cells_of_their_own(path):
    "To document a page, nbdev runs the cells that import or export something, without the cells between them"
    if not any(book.directives(c) & {'export', 'exports'} for c in code_cells(path)): return  # nothing to document
    all_run, mixed, imports = True, [], (ast.Import, ast.ImportFrom)
    for c in code_cells(path):
        if book.directives(c) & {'default_exp', 'export', 'exports'}: continue
        tree = ast.parse(python(c))
        found = [o for o in ast.walk(tree) if isinstance(o, imports)]
        if not found: all_run = False
        elif not all_run and not all(isinstance(o, imports) for o in tree.body): mixed.append(ast.unparse(found[0]))
    assert mixed == [], 'move these to the top of the chapter'

def test_every_module_has_its_notebook():
    modules = {p.stem for p in (root/cfg['lib_path']).glob('*.py') if p.stem[0] != '_'}
    assert modules <= set(chapters), f'no notebook exports {modules - set(chapters)}'
