"The tool behind `make student`: each chapter's copy for students, with stubs and checks, and for teachers, with solutions."
import ast, re, shutil
from configparser import ConfigParser
from pathlib import Path

import nbformat
from nbconvert.preprocessors import ClearOutputPreprocessor

root = Path(__file__).resolve().parent.parent
ini = ConfigParser(delimiters=['=']); ini.read(root/'settings.ini', encoding='utf-8')
nbs, checks = root/ini['DEFAULT']['nbs_path'], root/'tests/exercises'
points = dict(easy=1, medium=2, hard=3)
begin, end, stub = '### BEGIN SOLUTION', '### END SOLUTION', '# YOUR CODE HERE\nraise NotImplementedError()'  # nbgrader's own

def check_file(stem):
    "A chapter's checks, as written: (what they share, [(answers' names, hint, source)] in the order of the exercises)"
    shared, found = [], []
    for path in (checks/'checks.py', checks/f'{stem}.py'):
        text = path.read_text(encoding='utf-8')
        for node in ast.parse(text).body:
            first = min(o.lineno for o in [node, *getattr(node, 'decorator_list', [])])
            source, name = '\n'.join(text.splitlines()[first-1:node.end_lineno]), getattr(node, 'name', '')
            if name.startswith('check_'):
                hint = node.body[0]
                lines = source.splitlines()
                del lines[hint.lineno-node.lineno : hint.end_lineno-node.lineno+1]
                found.append(([o.arg for o in node.args.args], ast.get_docstring(node), '\n'.join(lines)))
            elif isinstance(node, ast.Expr) or source.startswith(('from checks', 'wrong_', 'def _wrong', 'class _Wrong', '_wrong')): pass  # not for students
            else: shared.append(source)
    return '\n\n'.join(shared), found

def exercises(nb):
    "[(position of the task, of its solution)] in a chapter"
    found, task, after = [], None, False
    for i,c in enumerate(nb.cells):
        if c.cell_type == 'markdown':
            after = after or '### Exercises' in c.source
            if after and re.search(r'^\*\*\d+\.\*\*', c.source, re.M): task = i
        elif task is not None and '#| code-summary: "Solution"' in c.source: found.append((task, i)); task = None
    return found

def private(source): return re.sub(r'(?<![\w.])(near|same|watched|results|report)(?=\()', r'_\1', source)  # chapters have variables of these names

def clean(source): return '\n'.join(o for o in source.splitlines() if not re.match(r'#\|(?! *(slow|gpu|network))', o)).strip('\n')

def marked(source, names):
    "A solution with nbgrader's marks around what students write: (the definitions of `names`, the rest)"
    lines, cuts, kept = clean(source).splitlines(), [], set()
    for node in ast.parse('\n'.join(lines)).body:
        if getattr(node, 'name', '') not in names: continue
        first = min([node.lineno, *(o.lineno for o in node.decorator_list)])
        kept |= set(range(first-1, node.end_lineno))
        for f in [node] if isinstance(node, ast.FunctionDef) else [o for o in node.body if isinstance(o, ast.FunctionDef)]:
            body = f.body[1:] if ast.get_docstring(f) and f.body[1:] else f.body
            cuts.append((body[0].lineno-1, body[0].col_offset, f.end_lineno, f.col_offset+4, body[0].lineno==f.lineno))
    out, at = [], 0
    for start,col,stop,indent,one_line in sorted(cuts):
        code, top = lines[start:stop], start
        if one_line: code = [' '*indent + lines[start][col:], *lines[start+1:stop]]
        else:
            while re.match(r'\s*(#.*)?$', lines[top-1]): top -= 1  # a comment above belongs to it
            code = lines[top:start] + code
        out += [o for i,o in enumerate(lines[at:top], at) if i in kept]
        if one_line: out.append(lines[start][:col].rstrip())
        out += [' '*indent + begin, *code, ' '*indent + end]
        at = stop
    rest = '\n'.join(o for i,o in enumerate(lines) if i not in kept).strip('\n')
    return '\n'.join(out), rest

def unsolved(source):
    "The same with nbgrader's stub in place of what stands between the marks"
    return re.sub(rf'^( *){begin}\n.*?{end}$', lambda m: '\n'.join(m[1]+o for o in stub.splitlines()), source, flags=re.S|re.M)

def cell(source, id, **nbgrader):
    "A code cell with nbgrader's metadata"
    meta = dict(grade=False, solution=False, locked=False, task=False, grade_id=id, schema_version=3) | nbgrader
    c = nbformat.v4.new_code_cell(source, id=id, metadata=dict(nbgrader=meta, tags=['raises-exception']))  # "Run all" goes on behind it
    if meta['locked']: folded(c)
    return c

def folded(c): c.metadata['jupyter'] = dict(source_hidden=True)  # in JupyterLab: a click opens it

def for_learners(c):
    "A chapter's cell as a copy has it: without directives, without links to the solved chapter, and with the answers of quizzes folded"
    if c.cell_type == 'markdown': c.source = re.sub(r'^<a href="https://colab[^\n]*?</a> \[Download the notebook\]\(\S+\) · ', '', c.source)
    else:
        if re.search(r'^#\| *(hide|echo: false|code-fold: true)|^(bet|quiz)\(', c.source, re.M): folded(c)
        c.source = clean(c.source)

def copies(path):
    "A chapter for students and for teachers"
    nb = nbformat.read(path, 4)
    nb, _ = ClearOutputPreprocessor().preprocess(nb, {})
    shared, found = check_file(path.stem)
    shared, found = private(shared), [(names, hint, private(check)) for names,hint,check in found]
    at = exercises(nb)
    assert len(at) == len(found), f'{path.stem}: {len(at)} exercises, but {len(found)} checks'
    cells = {i: [c] for i,c in enumerate(nb.cells)}
    for c in nb.cells: for_learners(c)
    for n,((i,j),(names,hint,check)) in enumerate(zip(at, found), 1):
        task, (answer, rest) = nb.cells[i], marked(nb.cells[j].source, names)
        assert all(re.search(rf'^(def|class) {o}\b', answer, re.M) for o in names), f'{path.stem}, exercise {n}: no definition of {names}'
        level = re.search(r'\((easy|medium|hard)', task.source.partition(f'**{n}.**')[2])
        task.source += f'\n\n<details><summary>Hint</summary>\n\n{hint}\n\n</details>'
        cells[j] = [cell(f'# Exercise {n}: {", ".join(f"`{o}`" for o in names)}\n{answer}', f'exercise-{n}', solution=True),
                    cell(f'{check}\n\n_report({check[4:check.index("(")]}, globals())', f'check-{n}', grade=True, locked=True, points=points[level[1] if level else 'medium'])]
        if rest: cells[j].append(cell(f'# Your own experiment with it\n{begin}\n{rest}\n{end}', f'try-{n}', solution=True))
    cells[at[0][0]].insert(0, cell(f'# What the checks share: run it, there is no need to read it.\n{shared}', 'checks', locked=True))
    nb.cells = [c for i in sorted(cells) for c in cells[i]]
    student = nbformat.from_dict(nb)
    student.cells = [nbformat.from_dict(c | {'source': unsolved(c.source)}) for c in nb.cells]
    return student, nb

def write(to=root):
    "Write all copies into `to`/student and `to`/teacher; [(chapter, number of exercises)]"
    done = []
    for path in sorted(nbs.glob('*.ipynb')):
        if not (checks/f'{path.stem}.py').exists(): continue
        for folder,nb in zip(('student', 'teacher'), copies(path)):
            (to/folder).mkdir(parents=True, exist_ok=True)
            nbformat.write(nb, to/folder/path.name)
            shutil.copytree(nbs/'results', to/folder/'results', dirs_exist_ok=True)  # what slow cells have measured
        done.append((path.stem, sum(c.id.startswith('check-') for c in nb.cells)))
    return done

if __name__ == '__main__':
    done = write()
    print(f'wrote student/ and teacher/: {len(done)} chapters, {sum(n for _,n in done)} exercises')
