"""The built site in a real browser: every page, light and dark, at a desk and on a phone, without a network and without JavaScript.

It runs over the site in `_docs`, whichever builder made it, and builds it first where it is older than its sources. `COLLAB_LESSON_SITE`
names a folder with a site that is tested as it is."""
import html, json, os, re, shutil, subprocess, sys, threading
from pathlib import Path
from urllib.parse import unquote

import pytest

root = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(root/'tools'))
import book

axe = Path(os.environ.get('AXE_CORE') or root/'node_modules/axe-core/axe.min.js')
names = [re.sub(r'^\d\d_', '', p.stem) for p in sorted(book.nbs.glob('*.ipynb'))] + ['references', '404']
each_page = pytest.mark.parametrize('name', names)
desk, phone = dict(width=1280, height=900), dict(width=375, height=800)
shots = root/'_shots'


@pytest.fixture(scope='session')
def site():
    "The folder of the site: the one that COLLAB_LESSON_SITE names, or `_docs`, built when something it is made from has changed since the last time"
    if given := os.environ.get('COLLAB_LESSON_SITE'):
        book.out = Path(given).resolve()
        assert (book.out/'index.html').is_file(), f'COLLAB_LESSON_SITE names {given}, and there is no site'
        return book.out
    done = subprocess.run([sys.executable, root/'tools/book.py', 'docs', '--if-changed'], cwd=root, capture_output=True, text=True)
    if done.returncode: pytest.fail(f'make docs failed: {done.stderr[-600:]}', pytrace=False)
    if 'warning' in done.stderr.lower(): pytest.fail(done.stderr, pytrace=False)
    return book.out

@pytest.fixture(scope='session')
def address(site):
    server = book.server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}{book.cfg['doc_baseurl']}/"
    server.shutdown()

@pytest.fixture
def visit(browser, address):
    "Open a page; at the end there must have been no console error, and no request but to our server"
    contexts, wrong = [], []
    def f(name, **options):
        context = browser.new_context(**{'viewport': desk, 'reduced_motion': 'reduce', **options})
        page = context.new_page()
        contexts.append(context)
        page.set_default_timeout(15000)
        page.on('console', lambda m: wrong.append(f'{m.text} {m.location["url"]}') if m.type in ('error', 'warning') else None)
        page.on('pageerror', lambda e: wrong.append(str(e)))
        page.on('request', lambda r: None if r.url.startswith((address.split('/', 3)[0] + '//' + address.split('/')[2], 'data:')) else wrong.append(f'request: {r.url}'))
        page.goto(name if '://' in name else f'{address}{name}.html')
        return page
    yield f
    for o in contexts: o.close()
    assert not wrong


# the files

def pages(site): return {p.name: p.read_text(encoding='utf-8') for p in site.glob('*.html') if p.name != 'book.html'}
def markup(s): return re.sub(r'<script\b.*?</script>|<style\b.*?</style>|<!--.*?-->', '', s, flags=re.S)
def tags(s): return '\n'.join(re.findall(r'<[a-zA-Z][^<>]*>', markup(s)))  # without their text: code may hold what looks like a link
def ids(s): return {html.unescape(o) for o in re.findall(r'\sid="([^"]+)"', s)}

def css_rules(css):
    "(selector, declarations) of every rule, those within @media and the like included; a part that cannot be parsed is an error"
    import tinycss2
    def walk(rules):
        for r in rules:
            assert r.type != 'error', (r.kind, r.message, r.source_line)
            if r.type == 'qualified-rule': yield tinycss2.serialize(r.prelude).strip(), r.content
            elif r.type == 'at-rule' and r.content is not None and r.lower_at_keyword in ('media', 'supports', 'layer'):
                yield from walk(tinycss2.parse_rule_list(r.content, skip_comments=True, skip_whitespace=True))
    yield from walk(tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True))

def bootstraps(site): return [p for p in site.glob('site_libs/**/*.css') if re.match(r'bootstrap(-dark)?-\w{16,}\.min|default\.min', p.name)]

def test_style_sheets_parse(site):
    "Every style sheet is whole. (A regular expression over CSS once cut Quarto's in two: no navigation bar on any page.)"
    pytest.importorskip('tinycss2')
    for p in site.rglob('*.css'):
        selectors = [s for s,_ in css_rules(p.read_text(encoding='utf-8'))]
        assert selectors, p
        if p in bootstraps(site): assert sum('.navbar' in s for s in selectors) > 20 and any(s.startswith('.nav-link') for s in selectors), p
    assert bootstraps(site)

def theme_colors(path): return {k: v.lower() for k,v in re.findall(r'\$(\w+):\s*(#[0-9a-fA-F]+)', path.read_text(encoding='utf-8'))}

def test_colors_are_written_twice_and_agree():
    "styles.css has both colors of each role; the two Sass files hand the same to Bootstrap and Quarto"
    css = (book.nbs/'styles.css').read_text(encoding='utf-8')
    both = {k: (day.lower(), night.lower()) for k,day,night in re.findall(r'--(\w+): light-dark\((#\w+), (#\w+)\)', css)}
    day, night = theme_colors(book.nbs/'theme-light.scss'), theme_colors(book.nbs/'theme-dark.scss')
    assert set(day) == set(night) and len(day) == 8
    assert {k: (day[k], night[k]) for k in day} == {k: both[k] for k in day}

def test_every_page_is_there_and_nothing_else(site):
    assert set(pages(site)) == {f'{o}.html' for o in names}

def test_links(site):
    "Each link within the site leads to a file, and each anchor to an element"
    all_pages, broken, base = pages(site), [], book.cfg['doc_baseurl'] + '/'
    anchors = {k: ids(tags(s)) for k,s in all_pages.items()}
    for name,s in all_pages.items():
        for link in re.findall(r'\s(?:href|src)="([^"]*)"', tags(s)):
            if re.match(r'[a-z]+:|//', link): continue
            path,_,anchor = unquote(html.unescape(link)).partition('#')
            path = path.removeprefix(base).removeprefix('./').partition('?')[0] or (name if link[:1] in ('#', '') else 'index.html')
            if not (site/path).is_file(): broken.append((name, link))
            elif anchor and path in anchors and anchor not in anchors[path]: broken.append((name, link))
    assert not broken

def test_nothing_is_loaded_from_elsewhere(site):
    found = []
    for p in [*site.rglob('*.html'), *site.rglob('*.css')]:
        s = p.read_text(encoding='utf-8')
        found += [(p.name, o) for o in re.findall(r'@import[^;]*https?:[^;]*;|url\(["\']?(?:https?:)?//[^)]*\)', s)]
        if p.suffix == '.html': found += [(p.name, o) for o in re.findall(r'<(?:script|img|iframe|source|video|audio)\b[^>]*\bsrc="(?:https?:)?//[^"]*"|<link[^>]*rel="(?:stylesheet|preload|preconnect)"[^>]*href="(?:https?:)?//[^"]*"', s)]
    assert not found

def test_what_machines_read(site):
    "Descriptions, cards, sitemap, llms.txt, favicon; nothing left in TeX"
    for name,s in pages(site).items():
        assert re.search(r'<meta name="description" content="[^"`*]{20,}"', s) or name == '404.html', name
        assert re.search(r'<meta property="og:title" content="[^"]+"', s), name
        assert f'<meta property="og:image" content="{book.site}/card.png"' in s and f'<meta name="twitter:image" content="{book.site}/card.png"' in s, name
        assert 'favicon.svg' in s and not re.search(r'\\\(|\\\[', re.sub(r'<pre\b.*?</pre>|<code\b.*?</code>|<annotation.*?</annotation>', '', markup(s), flags=re.S)), name
    assert (site/'card.png').stat().st_size < 100_000
    sitemap, llms = (site/'sitemap.xml').read_text(), (site/'llms.txt').read_text()
    for o in names: assert o == '404' or (f'{book.site}/{o}.html' in sitemap and f'/{o}.html)' in llms), o
    titles = re.findall(r'^- \[([^\]]+)\]', llms, re.M)
    assert 'book.html' not in llms and len(titles) == len(names) - 1 and 'Bias' in titles and not [o for o in titles if '–' in o or '<' in o]

def test_chapters_can_be_taken_away(site):
    for p in book.nbs.glob('[0-9]*.ipynb'):
        s = pages(site)[f'{p.stem[3:]}.html']
        at = '{user}/{repo}/blob/{branch}/{nbs_path}'.format(**book.cfg)
        assert f'href="https://colab.research.google.com/github/{at}/{p.name}"' in s and f'download href="notebooks/{p.name}"' in s
        assert (site/'notebooks'/p.name).read_bytes() == p.read_bytes()
        assert re.search(rf"https://github\.(?:com/{book.cfg['user']}/{book.cfg['repo']}/edit|dev/{book.cfg['user']}/{book.cfg['repo']}/blob)/{book.cfg['branch']}/{book.cfg['nbs_path']}/{p.name}", s)

# what tools/pages.py does to a notebook

def cell(source, *outputs):
    import nbformat
    return nbformat.v4.new_code_cell(source, outputs=[nbformat.v4.new_output('execute_result', data=o) for o in outputs])

def shown(c): return [(o.cell_type, o.source) for o in book.pages._shown(c)]

def test_imports_fold_and_follow_a_sentence():
    md, imports = book.pages._md, cell('import numpy as np\nfrom x import (a,\n    b)')
    moved = book.pages._imports_later([md('# Title'), imports, md('## Head\n\nA sentence.\n\nAnother.')])
    assert [o.source[:8] for o in moved] == ['# Title', '## Head\n', 'import n', 'Another.']
    stays = [md('A sentence.'), imports, md('More.')]
    assert book.pages._imports_later(stays) == stays
    (_, before), (_, code), (_, after) = shown(imports)
    assert '.imports' in before and after == ':::::' and code.startswith('#| code-fold: true\n#| code-summary: "Imports"\nimport')

def test_answers_fold_with_what_they_print():
    (_, before), (kind, code), (_, after) = shown(cell('#| code-fold: true\n#| code-summary: "Solution"\n1+1', {'text/plain': '2'}))
    assert '<details class="answer"><summary>Solution</summary>' in before and (kind, code) == ('code', '1+1') and '</details>' in after

@pytest.mark.parametrize('source, role', [('test_eq(1, 1)\nassert True', '.checks'), ('for i in x: test_close(i, 1)', '.checks'), ('x = 1\nassert x', None),
                                          ('#| code-fold: true\n#| code-summary: "Code of the figure"\nplot()', '.plumbing'), ('\n'.join(['x += 1']*30), '.plumbing')])
def test_roles(source, role):
    cells = shown(cell(source))
    assert (len(cells) == 1) if role is None else role in cells[0][1]

def test_html_outputs_ask_for_no_script_from_elsewhere():
    c, = book.pages._shown(cell('df', {'text/html': '<table>```</table>', 'text/plain': 'x'}))
    assert c.outputs[0].data == {'text/markdown': '````{=html}\n<table>```</table>\n````'}

def test_terms_are_linked_by_sense():
    terms = book.pages.glossary(book.nbs/'glossary.ipynb')
    def linked(text, page='ranking', seen=()): return re.findall(r'\[([^\]]+)\]\(glossary', book.pages.link_terms(text, terms, set(seen), page))
    assert linked('In mixed precision and half precision. Precision counts.') == ['Precision']
    assert linked('Its precision is low.', 'training') == [] and linked('A long tail.', 'interpretation') == []
    assert linked('A Cholesky factorization, a factorization machine, and batch normalization.') == []
    assert linked('An ordinary layer’s bias, an inductive bias, sparse gradients.', 'training') == []
    assert linked('The bias of a film. Another bias.') == ['bias']
    assert linked('A batch.\n\n## References\n\n- Large minibatch SGD, and epochs.') == ['batch']
    assert not set(book.pages.only_on) - {a for a,_ in terms.values()} and not set(book.pages.not_on) - {a for a,_ in terms.values()}

def test_no_page_links_another_sense(site):
    wrong = r'(?:mixed|double|half|single)[ -]<a[^>]*glossary[^>]*>precision|Cholesky <a[^>]*glossary|<a[^>]*glossary[^>]*>(?:batch</a> normal|factorization</a> machine)|inductive <a[^>]*glossary'
    assert not [(k, o) for k,s in pages(site).items() for o in re.findall(wrong, s, re.I)]
    for name in ('training.html', 'embedding.html', 'widgets.html'): assert 'glossary.html#precision' not in pages(site)[name]
    assert 'glossary.html#precision' in pages(site)['ranking.html']

def test_an_answer_is_hidden_with_its_output(site):
    "Between the summary `Solution` and its code there is nothing; the output is within the same fold"
    for p in book.nbs.glob('[0-9]*.ipynb'):
        wanted = len(re.findall(r'code-summary: \\"Solution', p.read_text(encoding='utf-8')))
        assert pages(site)[f'{p.stem[3:]}.html'].count('<details class="answer"') == wanted, p.stem

def test_figures_have_an_alternative_text(site):
    bare = [(k, o) for k,s in pages(site).items() for o in re.findall(r'<img [^>]*>', markup(s)) if not re.search(r' alt="[^"]{10,}', o)]
    assert not bare, 'add `#| fig-alt: "..."` to the cells of these'


# each page in the browser

sticking_out = """() => [...document.querySelectorAll('main *, header *, footer *')].filter(o => {
    const b = o.getBoundingClientRect()
    if (!b.width || !b.height || b.right <= innerWidth + 1) return false
    for (let e = o.parentElement; e; e = e.parentElement) {
        const s = getComputedStyle(e)
        if (/auto|scroll|hidden/.test(s.overflowX) || s.visibility === 'hidden' || s.clipPath !== 'none' || s.clip !== 'auto') return false
    }
    return true
}).map(o => o.outerHTML.slice(0, 120)).slice(0, 3)"""

def violations(page, rules=(), include=None, exclude=()):
    "What axe finds serious or critical: of these rules, or of all; in these parts of the page, or in all but some"
    options = dict(resultTypes=['violations'], preload=False, **(dict(runOnly=dict(type='rule', values=rules)) if rules else {}))
    return page.evaluate("""([parts, o]) => axe.run(parts, o).then(r => r.violations.filter(v => ['serious', 'critical'].includes(v.impact))
        .map(v => [v.id, v.nodes.length, v.nodes.slice(0, 3).map(n => n.html.slice(0, 160) + ' ' + n.failureSummary.split('\\n')[1])]))""", [dict(exclude=exclude, **(dict(include=include) if include else {})), options])

def scheme(page, name):
    page.emulate_media(color_scheme=name)
    page.wait_for_function(f"!!document.querySelector('.quarto-dark') === {str(name == 'dark').lower()}")

scrolls = """() => [...document.querySelectorAll('main *')].filter(o => o.scrollWidth > o.clientWidth + 1 && o.clientWidth > 20 && !o.closest('.cl-w') && !o.querySelector('.cl-w')
    && /auto|scroll|hidden/.test(getComputedStyle(o).overflowX) && getComputedStyle(o).clipPath === 'none').map(o => o.outerHTML.slice(0, 120)).slice(0, 3)"""

def settled(page):
    "Tables and formulas are fitted when the browser is idle"
    page.evaluate("new Promise(f => (window.requestIdleCallback || setTimeout)(() => setTimeout(f, 60), {timeout: 300}))")

@each_page
def test_page(visit, name):
    "No error, no request elsewhere, nothing that axe minds, nothing that sticks out or has to be scrolled sideways; light and dark, wide and narrow"
    page, found = visit(name, color_scheme='light'), {}
    assert page.locator('h1').count() == 1
    if axe.is_file():
        page.add_script_tag(content=axe.read_text(encoding='utf-8'))
        code = [] if name in ('training', 'embedding') else ['pre.sourceCode > code']  # thousands of colored words, of the same colors on every page
        contrast = ['color-contrast', 'link-in-text-block']  # the rest does not depend on the colors
        found['light, wide'] = violations(page, exclude=code)
        scheme(page, 'dark'); found['dark, wide'] = violations(page, contrast, exclude=code)
        page.set_viewport_size(phone); settled(page)
        found['dark, narrow'] = violations(page, exclude=code)
        scheme(page, 'light'); found['light, narrow'] = violations(page, contrast, ['header', 'footer', '#quarto-sidebar'])  # the text's do not depend on the width
    for width in (320, 375, 640, 768, 992, 1100, 1280, 1440, 1920):  # 640 is 1280 at 200 %
        page.set_viewport_size(dict(width=width, height=900)); settled(page)
        found[f'sticking out at {width}'] = page.evaluate(sticking_out)
        found[f'sideways at {width}'] = page.evaluate('document.documentElement.scrollWidth > innerWidth')
        if width in (375, 1280): found[f'scrolls at {width}'] = page.evaluate(scrolls)
    assert not {k: v for k,v in found.items() if v}

line_lengths = """() => [...document.querySelectorAll('main p, main li')].filter(o => !o.closest('.cl-w, table, .badge-line') && o.textContent.length > 200 && o.offsetWidth && !o.querySelector('math, p')).slice(0, 15).map(o => {
    const r = document.createRange(), w = document.createTreeWalker(o, NodeFilter.SHOW_TEXT), lines = new Map()
    for (let t = w.nextNode(); t; t = w.nextNode()) for (let i = 0; i < t.length; i++) {
        r.setStart(t, i); r.setEnd(t, i + 1)
        const y = Math.round(r.getBoundingClientRect().bottom / 8)
        lines.set(y, (lines.get(y) || 0) + 1)
    }
    return Math.max(...lines.values())
})"""

@pytest.mark.parametrize('width', [768, 1000, 1280, 1920])
def test_column(visit, width):
    "It shows 88 letters of code in a line at a desk, and at most 75 of text at any width"
    page = visit('bias', viewport=dict(width=width, height=900))
    letters = page.evaluate("""() => [...document.querySelectorAll('main pre.sourceCode code')].filter(o => o.offsetWidth).map(o => {
        const probe = document.createElement('span'); probe.textContent = 'M'.repeat(100); probe.style.cssText = 'position: absolute; white-space: pre'; o.append(probe)
        const one = probe.getBoundingClientRect().width / 100, pre = o.closest('pre'), s = getComputedStyle(pre); probe.remove()
        return (pre.clientWidth - parseFloat(s.paddingLeft) - parseFloat(s.paddingRight)) / one
    })""")
    assert letters and (min(letters) >= 88 or width < 1280)
    lines = sorted(page.evaluate(line_lengths))
    assert lines and lines[-1] <= 75

@each_page
def test_reads_without_javascript(visit, name):
    page = visit(name, java_script_enabled=False)
    text = page.locator('main').inner_text()
    assert len(text) > (150 if name == '404' else 700)
    assert page.locator('h1').is_visible() and page.locator('#quarto-sidebar').is_visible()
    for i in range(page.locator('.cl-w').count()): assert len(page.locator('.cl-w').nth(i).inner_text()) > 60

def test_axe_is_here():
    if not axe.is_file(): pytest.skip('no axe-core, so accessibility was not checked: npm install --no-save axe-core, or name its axe.min.js in AXE_CORE')


# what a reader does

def ground(page): return page.evaluate('getComputedStyle(document.body).backgroundColor')

def test_theme_follows_the_system_until_told(visit):
    page = visit('bias', color_scheme='dark')
    dark = ground(page)
    page.emulate_media(color_scheme='light'); page.wait_for_function("!document.querySelector('.quarto-dark')")
    light = ground(page)
    assert sum(map(int, re.findall(r'\d+', dark)[:3])) < 150 and light == 'rgb(255, 255, 255)'
    page.locator('.quarto-color-scheme-toggle').first.click()
    page.wait_for_function("document.querySelector('.quarto-dark')")
    assert ground(page) == dark
    page.reload(); page.wait_for_function("document.querySelector('.quarto-dark')")
    assert ground(page) == dark
    page.goto(page.url.replace('bias', 'training'))
    assert ground(page) == dark
    page.locator('.quarto-color-scheme-toggle').first.click(); page.reload()
    page.wait_for_function("!document.querySelector('.quarto-dark')")

def test_search(visit):
    page = visit('index')
    page.keyboard.press('/')
    page.keyboard.type('embedding')
    hits = page.locator('.search-result, .search-result-doc')
    hits.first.wait_for()
    assert 'embedding' in hits.first.inner_text().lower()
    assert any('embedding.html' in (o.get_attribute('href') or '') for o in page.locator('.search-result[href], .search-result-doc a, a.search-result-link').all())
    page.keyboard.press('ArrowDown'); page.keyboard.press('Enter')
    page.wait_for_url(re.compile(r'/(embedding|glossary|\w+)\.html'))

def test_search_puts_a_chapter_before_its_references(visit):
    page = visit('index')
    page.keyboard.press('/')
    page.keyboard.type('matrix factorization')
    page.locator('.search-result, .search-result-doc').first.wait_for()
    found = page.evaluate("[...document.querySelectorAll('#quarto-search-results a[href], .smalldocs-search-results a[href], .search-result[href]')].map(o => o.getAttribute('href'))")
    assert found and not [o for o in found if 'references' in o]

def test_search_box_has_a_name(visit):
    for size in (desk, dict(width=320, height=700)):
        page = visit('bias', viewport=size)
        assert page.locator('#quarto-search').is_visible()
        assert page.evaluate("[...document.querySelectorAll('#quarto-search input, #quarto-search button')].every(o => o.getAttribute('aria-label') || o.textContent.trim())")

def test_skip_to_the_text(visit):
    page = visit('bias')
    page.keyboard.press('Tab')
    assert page.evaluate('document.activeElement.textContent') == 'Skip to the text' and page.locator('a.skip').bounding_box()['width'] > 50
    page.keyboard.press('Enter'); page.keyboard.press('Tab')
    assert page.evaluate("!!document.activeElement.closest('main')")

@pytest.mark.parametrize('name', ['index', 'bias', '404'])
def test_three_tab_stops_lead_to_the_text(visit, name):
    page = visit(name)
    page.keyboard.press('Tab'); page.keyboard.press('Enter'); page.keyboard.press('Tab')
    assert page.evaluate("!!document.activeElement.closest('main')")

def test_header_works_at_320(visit):
    "Nothing in the header is hidden behind another thing, every button can be hit, and the search answers within the page"
    page = visit('bias', viewport=dict(width=320, height=640))
    covered = page.evaluate("""() => [...document.querySelectorAll('#quarto-header :is(a, button, input)')].filter(o => o.offsetWidth && getComputedStyle(o).visibility === 'visible').filter(o => {
        const b = o.getBoundingClientRect(), at = document.elementFromPoint(b.left + b.width / 2, b.top + b.height / 2)
        return b.left < 0 || b.right > innerWidth + 1 || b.width < 16 || b.height < 16 || !(at && (o.contains(at) || at.contains(o)))
    }).map(o => o.outerHTML.slice(0, 100))""")
    assert not covered
    page.locator('#quarto-search :is(button.aa-DetachedSearchButton, input)').first.click()
    page.keyboard.type('embedding')
    hit = page.locator('.search-result, .search-result-doc').first
    hit.wait_for()
    box = hit.bounding_box()
    assert box['x'] >= -1 and box['x'] + box['width'] <= 321

def test_a_bet_does_not_show_its_answer(visit):
    "…in the code above it"
    page = visit('bias')
    assert page.locator('main fieldset').count() and not page.get_by_text('because=').count()

def test_two_depths(visit):
    "The story leaves out imports, tests and cards; the choice is remembered; a link to what it leaves out shows it"
    page = visit('bias')
    assert page.locator('.imports').first.is_visible() and page.locator('.exported').first.is_visible()
    assert not page.locator('.imports pre').first.is_visible()  # folded
    page.get_by_role('button', name='Story').click()
    assert not any(page.locator(o).first.is_visible() for o in ('.imports', '.exported', '.checks'))
    assert page.locator('main pre.sourceCode').first.is_visible() or page.locator('main .cell pre').nth(1).is_visible()
    page.goto(page.url.replace('bias', 'training'))
    assert not page.locator('.exported').first.is_visible()
    assert page.get_by_role('button', name='Story').get_attribute('aria-pressed') == 'true'
    anchor = page.locator('.exported h3').first.evaluate("o => o.id || o.closest('section').id")
    page.goto(f'{page.url}#{anchor}')
    page.wait_for_function("document.documentElement.dataset.depth === 'code'")

def test_jumps_end_below_the_header(visit):
    for size in (desk, phone):
        page = visit('bias', viewport=size)
        page.goto(page.url + '#the-model'); page.wait_for_timeout(300)
        top, header = page.evaluate("[document.querySelector('#the-model h2').getBoundingClientRect().top, document.querySelector('#quarto-header').getBoundingClientRect().bottom]")
        assert header - 1 <= top < header + 140

def test_prints(visit):
    "On paper there are no bars at the sides, folds are open, code wraps"
    page = visit('bias')
    page.emulate_media(media='print'); page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert not any(page.locator(o).first.is_visible() for o in ('#quarto-header', '#quarto-sidebar', '.badge-line', '.code-copy-button') if page.locator(o).count())
    assert page.locator('details.answer pre').first.is_visible()
    assert page.evaluate("[...document.querySelectorAll('main pre')].every(o => o.scrollWidth <= o.clientWidth + 1)")
    page.evaluate("dispatchEvent(new Event('afterprint'))"); page.emulate_media(media='screen')
    assert not page.locator('details.answer pre').first.is_visible()

def test_reader_mode(visit):
    page = visit('bias')
    button = page.locator('.book-reader').first
    button.focus(); page.keyboard.press('Enter')
    assert not page.locator('#quarto-sidebar').is_visible()
    page.reload(); assert not page.locator('#quarto-sidebar').is_visible()
    page.locator('.book-reader').first.click(); assert page.locator('#quarto-sidebar').is_visible()

def test_next_leads_through_the_book(visit):
    page, seen = visit('data'), ['data']
    while True:
        link = page.locator('.nav-page-next a')
        if not link.count() or len(seen) > 40: break
        page.goto(page.evaluate('o => o.href', link.element_handle()), wait_until='commit')
        page.locator('.page-navigation').wait_for(state='attached')
        seen.append(page.url.rpartition('/')[2].removesuffix('.html'))
    numbered = [p.stem[3:] for p in sorted(book.nbs.glob('[0-9]*.ipynb')) if 0 < int(p.stem[:2]) < 90]
    assert seen[:len(numbered)] == numbered

def test_sections_fold_by_keyboard(visit):
    page = visit('bias')
    toggle = page.locator('#quarto-sidebar .sidebar-item-toggle').first
    toggle.focus(); page.keyboard.press('Enter')
    page.wait_for_function("o => o.getAttribute('aria-expanded') === 'false'", arg=toggle.element_handle())

def test_the_picture_on_the_first_page_is_live(visit):
    "A star moves that person's two numbers as a ridge regression says, and the answer is their product with the film's, plus the mean"
    import numpy as np
    page = visit('index')
    assert not page.locator('main img[src$="table.png"]').is_visible()
    hero = page.locator('.hero')
    before = json.loads(hero.get_attribute('data-state'))
    assert '1.1 stars' in hero.locator('output').inner_text() and before['ask'] == [2, 4]
    hero.get_by_role('button', name='Person 3, film 4: 3 stars').press('Enter')
    after = json.loads(hero.get_attribute('data-state'))
    films = 1.5*np.array([[.9, .1], [.5, .8], [-.6, .7], [-.9, -.2], [.3, -.9], [.8, -.5], [-.2, .9], [.6, .4], [-.7, -.6]])
    rated = np.array(after['stars'][2]) > 0
    m = films[rated]
    moved = np.linalg.solve(m.T@m + .3*np.eye(2), m.T@(np.array(after['stars'][2]) - np.array(before['stars'][2]))[rated])
    assert np.allclose(np.array(after['people'][2]) - before['people'][2], moved) and np.abs(moved).max() > .05
    assert after['people'][:2] == before['people'][:2] and abs(after['value'] - (3.1 + np.array(after['people'][2])@films[4])) < 1e-9
    hero.get_by_role('button', name='Person 1, film 1: blank').click()
    assert json.loads(hero.get_attribute('data-state'))['ask'] == [0, 0]
    page.get_by_role('link', name='Start reading').click()
    page.wait_for_url(re.compile('/data.html'))

def test_picture_and_page_agree():
    "The numbers of the live picture are those of the drawn one"
    import numpy as np
    js, card = (book.nbs/'book.js').read_text(encoding='utf-8'), (root/'tools/card.py').read_text(encoding='utf-8')
    def tables(text): return [np.array(json.loads(re.sub(r'(?<!\d)\.', '0.', re.sub(r'\s', '', o)))) for o in re.findall(r'\[\[[-\d., \[\]]+\]\]', text)]
    stars, people, films = tables(js)
    assert [np.array_equal(a, b) for a,b in zip((people, films), tables(card))] == [True, True]
    known = np.random.default_rng(6).random(stars.shape) < .42
    known[2, 4] = False
    assert np.array_equal(stars, np.where(known, np.clip(np.rint(3.1 + 2.25*people@films.T), 1, 5), 0))

def test_scoreboard(site):
    "Both draws of ratings for each model of Part II, one of them lit; chapter 5 trains the model of chapter 4"
    for p in [*(p for p,_,_ in book.pages.scores), *book.pages.trains]:
        s = pages(site)[f'{p[3:-6]}.html']
        (strip,) = re.findall(r'(?s)<ol class="scores".*?</ol>', s)
        assert strip.count('<li class="here"') + strip.count('<li class=here') == 1, p
        both = re.findall(r'<b>([.\d]{5})</b> once</span>\s*<span>([.\d]{5}) notes’ draw', strip)
        assert len(both) == len(book.pages.scores) and all(float(a) < float(b) for a,b in both), (p, both)
        lit = re.search(r'(?s)<li class="?here.*?</li>', strip)[0]
        assert ('href' in lit) == (p in book.pages.trains), 'the chapter itself is no link'
    assert 'class="scores"' not in pages(site)['ranking.html']

def test_demonstration_on_the_first_page(visit):
    page = visit('index')
    before = page.get_by_role('list', name='Recommendations').inner_text()
    page.get_by_role('radiogroup', name='Star Wars (1977)').get_by_role('radio', name='1', exact=True).press('Space')
    page.wait_for_function('t => document.querySelector("[aria-label=Recommendations]").innerText !== t', arg=before)
    s = json.loads(page.locator('.cl-w').get_attribute('data-state'))
    data = json.loads(page.locator('.cl-w script[type="application/json"]').text_content())
    import base64, numpy as np
    q = np.c_[np.frombuffer(base64.b64decode(data['factors']), '<f2').astype(float).reshape(-1, data['n_factors']), np.ones(len(data['titles']))]
    i = data['titles'].index('Star Wars (1977)')
    user = np.linalg.solve(np.outer(q[i], q[i]) + data['reg']*np.eye(q.shape[1]), q[i]*(1 - data['offset'] - data['bias'][i]))
    assert np.abs(s['predictions'] - (data['offset'] + np.array(data['bias']) + q@user)).max() < 1e-3

figures = [p.stem[3:] for p in sorted(book.nbs.glob('[0-9]*.ipynb')) if '"narrow": ' in p.read_text(encoding='utf-8')]

@pytest.mark.parametrize('name', figures)
def test_figures(visit, name):
    "What is white in a figure is the page's ground, by day and by night; a phone gets its own layout, a printer the figure as it is"
    page = visit(name, color_scheme='dark')
    for scheme_ in ('dark', 'light'):
        scheme(page, scheme_)
        picture = page.locator('main picture img, main .pointing svg.wide').first
        picture.scroll_into_view_if_needed(); page.wait_for_timeout(100)
        box = picture.bounding_box()
        corner = page.screenshot(clip=dict(x=box['x'] + 1, y=box['y'] + box['height']/2, width=2, height=2))
        from PIL import Image
        import io
        seen, wanted = Image.open(io.BytesIO(corner)).convert('RGB').getpixel((0, 0)), tuple(map(int, re.findall(r'\d+', ground(page))[:3]))
        assert max(abs(a - b) for a,b in zip(seen, wanted)) <= 2, (scheme_, seen, wanted)
    scheme(page, 'dark'); page.emulate_media(media='print')
    assert page.evaluate("[...document.querySelectorAll('main img, .pointing svg')].every(o => getComputedStyle(o).filter === 'none')")
    assert ground(page) == 'rgb(255, 255, 255)', 'paper is white, whatever the screen was'
    page.emulate_media(media='screen'); page.set_viewport_size(phone)
    assert page.evaluate("[...document.querySelectorAll('main picture')].every(o => o.querySelector('img').currentSrc === '' || o.querySelector('img').currentSrc.endsWith(o.querySelector('source').getAttribute('srcset')))")
    for o in page.locator('.pointing').all(): assert o.locator('svg.narrow').is_visible() and not o.locator('svg.wide').is_visible()

def test_the_frontier_is_named_and_the_rest_answers(visit):
    "A mark says its name where the pointer is, and by keyboard: one tab stop, then arrows"
    page = visit('comparison')
    box = page.locator('.pointing').first
    marks, says = box.locator('svg.wide .point'), box.locator('output')
    assert marks.count() > 20 and box.locator('svg.wide .point[tabindex="0"]').count() == 1
    marks.nth(3).scroll_into_view_if_needed(); marks.nth(3).hover(force=True)
    assert says.inner_text() == marks.nth(3).get_attribute('aria-label') and 'RMSE' in says.inner_text()
    marks.first.focus(); page.keyboard.press('ArrowRight')
    assert says.inner_text() == marks.nth(1).get_attribute('aria-label')
    page.keyboard.press('Escape'); assert not says.is_visible()
    for name in marks.evaluate_all('l => l.map(o => o.getAttribute("aria-label").split(", RMSE")[0])'): assert page.locator('main table th', has_text=name).count(), f'{name} is in no table'

def test_no_page_here(visit, address):
    page = visit('404')
    page.get_by_role('button', name='Search the book').click()
    page.keyboard.type('bias')
    page.locator('.search-result, .search-result-doc').first.wait_for()
    answer = page.request.get(f'{address}no/such/page')
    assert answer.status == 404 and 'No page here' in answer.text() and f'href="{book.cfg["doc_baseurl"]}/index.html"' in answer.text()


# budgets

@pytest.mark.parametrize('name', ['index', 'widgets', 'latent_factors', 'data', 'bias', 'comparison'])
def test_budget(visit, name):
    "Under 1 MB without its figures, in 15 requests; first content within a second; nothing moves while it loads"
    best = 9e9
    for _ in range(4):  # another process may have the processor
        page = visit('404')
        page.add_init_script("window.shift = 0; new PerformanceObserver(l => l.getEntries().forEach(e => { window.shift += e.value })).observe({type: 'layout-shift', buffered: true})")
        page.goto(page.url.replace('404', name), wait_until='load')
        page.wait_for_timeout(300)
        paint, shift, size, requests = page.evaluate("""(() => {
            const all = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource').filter(o => !o.name.startsWith('data:') && !/\\.png$|figures\\//.test(o.name) && !/_files\\//.test(o.name))]
            return [performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 9e9, window.shift, all.reduce((s, o) => s + o.encodedBodySize, 0), all.map(o => o.name)] })()""")
        assert size < 1e6 and shift < .02 and len(requests) <= 15, (size, shift, len(requests), requests)
        best = min(best, paint)
        if best < 1000: break
    assert best < 1000

def test_icon_font_is_not_loaded(visit):
    page = visit('bias')
    assert not [o for o in page.evaluate("performance.getEntriesByType('resource').map(o => o.name)") if 'icons' in o]
    assert page.evaluate("getComputedStyle(document.querySelector('.quarto-color-scheme-toggle .bi'), '::before').maskImage").startswith('url(')


# the one-file book

def test_one_file(site, browser, tmp_path):
    path = book.pages.one_file(site, book.cfg)
    s = path.read_text(encoding='utf-8')
    assert path.stat().st_size < 15e6 and s.count('<article id=') == len(names) - 1
    here = ids(tags(s))
    broken = {o for o in re.findall(r'href="#([^"]*)"', tags(s)) if html.unescape(o) not in here}
    assert not broken
    assert not re.findall(r'(?:src|href)="(?!#|data:|https?://|mailto:)[^"]{1,80}', tags(s))
    alone = tmp_path/'alone.html'; shutil.copy(path, alone)
    page, wrong = browser.new_page(viewport=phone), []
    page.on('request', lambda r: None if r.url == alone.as_uri() or r.url.startswith('data:') else wrong.append(r.url))
    page.on('pageerror', lambda e: wrong.append(str(e)))
    page.on('console', lambda m: wrong.append(m.text) if m.type == 'error' else None)
    page.goto(alone.as_uri(), timeout=120_000)
    assert page.locator('.cl-w').count() >= 8 and page.locator('math').count() > 10
    assert page.evaluate('document.documentElement.scrollWidth <= innerWidth')
    page.close()
    assert not wrong


def test_pdf_tells_its_pages(site, tmp_path, monkeypatch):
    "The table of contents of the PDF names the page that each chapter begins on (three short chapters, to be quick)"
    pypdf = pytest.importorskip('pypdf')
    if not book.chromium: pytest.skip('no chromium on this machine')
    short = ''.join(f'<article id="c{i}"><h1>Chapter {i}</h1>' + '<p>word</p>'*60*i + '</article>' for i in (1, 2, 3))
    page = tmp_path/'book.html'
    page.write_text('<html class="one-file"><style>article { break-before: page }</style><nav id="contents">' + ''.join(f'<a href="#c{i}">{i}</a> ' for i in (1, 2, 3)) + f'</nav><main>{short}</main></html>')
    printed = []
    monkeypatch.setattr(book, 'root', tmp_path); monkeypatch.setattr(book.pages, 'with_page_numbers', lambda s, n, f=book.pages.with_page_numbers: printed.append(f(s, n)) or printed[-1])
    book.pdf(page)
    found = pypdf.PdfReader(tmp_path/'book.pdf')
    said = [int(o) for o in re.findall(r'data-page="(\d+)"', printed[-1])]
    begins = [next(i for i,p in enumerate(found.pages, 1) if f'Chapter {n}' in p.extract_text()) for n in (1, 2, 3)]
    assert said == begins and begins[0] == 2 and begins[2] > 4


# to look at

def test_screenshots(visit):
    "Written to _shots for a person to look at"
    shots.mkdir(exist_ok=True)
    for scheme, size in [('light', desk), ('dark', desk), ('light', phone)]:
        tag = f"{scheme}-{size['width']}.png"
        for name in ('index', 'bias'):
            page = visit(name, color_scheme=scheme, viewport=size)
            page.screenshot(path=shots/f'page-{name}-{tag}', timeout=60_000)
        if (scheme, size) == ('light', desk): continue
        page = visit('widgets', color_scheme=scheme, viewport=size)
        page.add_style_tag(content='#quarto-header { display: none }')
        for i in range(page.locator('.cl-w').count()):
            w = page.locator('.cl-w').nth(i)
            w.scroll_into_view_if_needed()
            w.screenshot(path=shots/f"widget-{w.get_attribute('data-widget')}-{tag}", timeout=60_000)
