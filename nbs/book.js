// What both builders leave out: two depths to read in, the keyboard where they have only the mouse, links to headings,
// tables and formulas that fit a narrow page, paper, and a reader mode for smalldocs.
(() => {
  'use strict'
  const root = document.documentElement
  const all = (css, within = document) => [...within.querySelectorAll(css)]
  const remember = (key, value) => { try { localStorage.setItem(key, value) } catch (e) { /* a private window */ } }

  document.addEventListener('keydown', e => {
    if ((e.key === 'Enter' || e.key === ' ') && e.target.matches('a[role=button]:not([href])')) { e.preventDefault(); e.target.click() }
  })

  // Story or Code
  const depths = all('.depth button')
  const setDepth = depth => {
    root.dataset.depth = depth
    depths.forEach(o => o.setAttribute('aria-pressed', o.dataset.depth === depth))
  }
  setDepth(root.dataset.depth === 'story' ? 'story' : 'code')
  depths.forEach(o => o.addEventListener('click', () => { setDepth(o.dataset.depth); remember('book-depth', o.dataset.depth); fit() }))
  // a link to something that the story leaves out, or that is folded, shows it
  const reveal = () => {
    let target = null
    try { target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1))) } catch (e) { /* no anchor of ours */ }
    if (!target) return
    if (target.closest('.imports, .checks, .exported')) setDepth('code')
    for (let o = target.closest('details'); o; o = o.parentElement.closest('details')) o.open = true
    target.scrollIntoView()
  }
  addEventListener('hashchange', reveal)

  // a link to each heading
  all('main :is(h2, h3, h4)').forEach(o => {
    const id = o.id || o.dataset.anchorId || (o.parentElement.matches('section') && o.parentElement.id)
    if (!id || o.closest('.cl-w') || o.querySelector('a.here')) return
    const a = document.createElement('a')
    a.href = '#' + id; a.className = 'here'; a.textContent = '#'; a.setAttribute('aria-label', 'Link to: ' + o.textContent)
    o.append(a)
  })

  // tables shrink, then fold into one block for each row; formulas shrink; what still scrolls can be reached by keyboard
  const tooWide = o => { const box = o.parentElement; return o.scrollWidth > box.clientWidth + 1 || o.offsetWidth > box.clientWidth + 1 }
  const label = table => {
    if (table.dataset.labels) return
    table.dataset.labels = 1
    const names = all('thead tr:last-child > *', table).map(o => o.textContent.trim())
    all('tbody tr', table).forEach(tr => [...tr.children].forEach((td, i) => { td.dataset.label = names[i] || '' }))
    const roles = {table: [table], rowgroup: all('thead, tbody', table), row: all('tr', table), columnheader: all('thead th', table), rowheader: all('tbody th', table), cell: all('td', table)}
    for (const role in roles) roles[role].forEach(o => o.setAttribute('role', role))  // a folded table stays one
  }
  // a formula that is wider than its box breaks: at a wide space, or before a relation or a sign; what is too wide even then is set smaller
  const breakLine = math => {
    const box = math.closest('p, .math.display, li, dd, td') || math.parentElement
    math.classList.remove('whole-line'); math.style.fontSize = ''
    if (math.nextElementSibling?.matches('.broken-line')) math.nextElementSibling.remove()
    let row = math.querySelector(':scope > semantics > mrow, :scope > mrow')
    while (row?.children.length === 1 && row.firstElementChild.matches('mrow')) row = row.firstElementChild
    const room = box.clientWidth
    const width = Math.max(math.getBoundingClientRect().width, math.scrollWidth, row ? row.getBoundingClientRect().width : 0)
    if (!room || width <= room + 1) return
    const lines = [[]]
    let used = 0
    const parts = [], add = o => { if (o.matches('mrow') && o.getBoundingClientRect().width > room * .5) [...o.children].forEach(add); else parts.push(o) }
    if (row) [...row.children].forEach(add)
    for (const o of parts) {
      const w = o.getBoundingClientRect().width, gap = o.matches('mspace') && parseFloat(o.getAttribute('width')) >= 1
      const sign = o.matches('mo') && /^[=≈≤≥<>∝∼→⇒+−±·-]$/.test(o.textContent.trim())
      if ((gap && used) || (sign && used > room * .45)) { lines.push([]); used = 0 }
      if (gap) continue
      lines.at(-1).push(o); used += w
    }
    const short = lines.filter(o => o.length)
    if (short.length > 1) {
      const div = document.createElement('span')
      div.className = 'broken-line'
      for (const line of short) {
        const part = math.cloneNode(false), inner = document.createElementNS('http://www.w3.org/1998/Math/MathML', 'mrow')
        line.forEach(o => inner.append(o.cloneNode(true)))
        part.append(inner); div.append(part)
      }
      math.after(div)
      math.classList.add('whole-line')
    }
    for (const o of short.length > 1 ? math.nextElementSibling.children : [math]) {
      const w = Math.max(o.scrollWidth, ...[...o.querySelectorAll('mrow')].slice(0, 1).map(r => r.getBoundingClientRect().width))
      if (w > room + 1) o.style.fontSize = Math.max(.55, .98 * room / w) * 1.06 + 'em'
    }
  }
  // the rest of a wrapped line of code stands further in than its beginning (Quarto marks up lines)
  all('main pre > code.sourceCode > span[id]').forEach(o => {
    const n = o.textContent.search(/\S/) + 4
    if (n > 4) { o.style.textIndent = `calc(-1 * min(${n}ch, 40%))`; o.style.paddingLeft = `min(${n}ch, 40%)` }  // a deep one leaves room on a phone
  })
  const fit = () => {
    all('main table:not(.cl-w table, .map table)').forEach(o => {
      o.classList.remove('tight', 'folded')
      if (!o.offsetWidth || !tooWide(o)) return
      o.classList.add('tight')
      const cramped = all('td, th', o).some(c => c.offsetHeight > 110 && c.offsetWidth < 80)
      if (!(tooWide(o) || cramped) || !o.tHead) return
      label(o)
      o.classList.replace('tight', 'folded')
    })
    all('main math:not(.broken-line math)').forEach(breakLine)
    all('main pre, main .cell-output-display, main .cell-output, main .math.display, main p:has(> math[display=block]), main table, .sidebar').forEach(o => {
      if (o.scrollWidth > o.clientWidth + 1 || (o.matches('.sidebar') && o.scrollHeight > o.clientHeight + 1)) o.tabIndex = 0
      else if (!o.matches('.sidebar')) o.removeAttribute('tabindex')
    })
  }

  // on paper, all is open
  let shut = []
  addEventListener('beforeprint', () => { shut = all('details:not([open])'); shut.forEach(o => { o.open = true }); all('img[loading=lazy]').forEach(o => { o.loading = 'eager' }) })
  addEventListener('afterprint', () => { shut.forEach(o => { o.open = false }); shut = [] })

  // Quarto makes its search box when the page is there, makes another where it gets narrow, and gives neither a name
  const search = document.getElementById('quarto-search')
  const name = () => all('input, button, [role=combobox]', search).forEach(o => {
    if (o.getAttribute('aria-label')) return
    o.removeAttribute('aria-labelledby')
    o.setAttribute('aria-label', o.type === 'reset' ? 'Clear' : 'Search')
  })
  if (search) { name(); new MutationObserver(name).observe(search, {childList: true, subtree: true}) }

  all('.book-search').forEach(o => o.addEventListener('click', () => {
    const box = search && (search.querySelector('button.aa-DetachedSearchButton') || search.querySelector('input'))
    if (box) { box.focus(); box.click() }
  }))

  const reader = document.querySelector('.book-reader')
  if (reader) {
    const set = on => { root.classList.toggle('reader', on); reader.setAttribute('aria-pressed', on) }
    let on = false
    try { on = localStorage.getItem('book-reader') === 'true' } catch (e) { /* a private window */ }
    set(on)
    reader.addEventListener('click', e => { e.preventDefault(); set(on = !on); remember('book-reader', on) })
  }

  // A figure whose marks have names says them: where the pointer is, and where the keyboard is (arrows go from mark to mark)
  all('.pointing').forEach(box => {
    const says = document.createElement('output')
    box.append(says)
    const say = mark => {
      says.textContent = mark ? mark.getAttribute('aria-label') : ''
      if (!mark) return
      const b = box.getBoundingClientRect(), m = mark.getBoundingClientRect()
      says.style.left = Math.max(0, Math.min(m.left - b.left + m.width / 2, b.width - says.offsetWidth)) + 'px'
      says.style.top = m.bottom - b.top + 6 + 'px'
    }
    all('svg', box).forEach(svg => {
      const marks = all('.point', svg)
      marks.forEach((o, i) => {
        o.setAttribute('tabindex', i ? -1 : 0)
        for (const e of ['pointerenter', 'focus']) o.addEventListener(e, () => say(o))
        for (const e of ['pointerleave', 'blur']) o.addEventListener(e, () => say(null))
        o.addEventListener('keydown', e => {
          const step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[e.key]
          if (step) { e.preventDefault(); marks[(i + step + marks.length) % marks.length].focus() }
          if (e.key === 'Escape') say(null)
        })
      })
    })
  })

  // The picture of the first page, live: two numbers for each person and each film (those of tools/card.py). A person's are a ridge
  // regression on their stars with the films held still (chapter 13), so a changed star moves them by (M'M + .3 I)^-1 M' (new - old).
  const picture = document.querySelector('main img[src$="table.png"]')
  if (picture) {
    const mean = 3.1, stars = [[0,4,2,1,0,0,0,4,0],[5,5,0,1,0,0,0,5,1],[0,0,0,3,0,0,0,0,2],[0,3,0,0,2,1,0,0,0],[0,2,0,3,5,0,1,0,0],[0,3,1,0,0,5,0,0,0]]
    const scale = rows => rows.map(o => o.map(v => 1.5 * v))
    const people = scale([[.9,-.2],[.7,.6],[-.3,.9],[-.8,.3],[.1,-.9],[.6,-.7]])
    const films = scale([[.9,.1],[.5,.8],[-.6,.7],[-.9,-.2],[.3,-.9],[.8,-.5],[-.2,.9],[.6,.4],[-.7,-.6]])
    let ask = [2, 4]
    const make = (tag, attributes, text = '') => { const o = document.createElement(tag); for (const k in attributes) o.setAttribute(k, attributes[k]); o.textContent = text; return o }
    const at = (row, column) => `grid-area: ${row} / ${column}`
    const hero = make('div', {class: 'hero', role: 'group', 'aria-label': 'A table of ratings, mostly blank, as the product of two thin ones'})
    const grid = make('div', {class: 'hero-grid'}), says = make('div', {class: 'hero-says'})
    const number = v => (v < 0 ? '−' : '') + Math.abs(v).toFixed(2)
    grid.append(make('span', {class: 'hero-label', style: 'grid-area: 1 / 1 / 3 / 4'}, 'films'), make('span', {class: 'hero-label', style: 'grid-area: 3 / 1 / 4 / 4'}, 'people'))
    const factor = (row, column) => { const o = make('i', {style: at(row, column)}); grid.append(o); return o }
    const top = films.map((_, m) => [0, 1].map(k => factor(k + 1, m + 4))), left = people.map((_, u) => [0, 1].map(k => factor(u + 4, k + 1)))
    const cells = stars.map((row, u) => row.map((r, m) => {
      const o = make('button', {type: 'button', style: at(u + 4, m + 4)})
      o.addEventListener('click', () => { if (stars[u][m]) rate(u, m, stars[u][m] % 5 + 1); else ask = [u, m]; show() })
      grid.append(o)
      return o
    }))
    const rate = (u, m, r) => {
      const change = r - stars[u][m]
      stars[u][m] = r
      let a = .3, b = 0, d = .3
      stars[u].forEach((s, i) => { if (s) { const [x, y] = films[i]; a += x * x; b += x * y; d += y * y } })
      const [x, y] = films[m], det = a * d - b * b
      people[u][0] += change * (d * x - b * y) / det
      people[u][1] += change * (a * y - b * x) / det
    }
    const answer = make('output', {'aria-live': 'polite'}), sum = make('p', {class: 'hero-sum'})
    const start = make('a', {class: 'start', href: document.querySelector('#quarto-sidebar a[href$="data.html"], #contents a[href="#data"]')?.getAttribute('href') || 'data.html'}, 'Start reading')
    says.append(make('p', {}, 'A few numbers for each person and each film: multiply, add to the mean.'), answer, sum,
      make('p', {class: 'hero-hint'}, 'Press a star to change it: that person’s numbers move. Press a blank cell to ask about it.'), start)
    const tint = (o, v, marked) => {
      o.style.background = `color-mix(in srgb, ${v > 0 ? '#0072b2' : '#e69f00'} ${Math.round(Math.min(Math.abs(v) / 1.5, 1) * 85)}%, var(--page))`
      o.title = number(v); o.classList.toggle('marked', marked)
    }
    const show = () => {
      const [u, m] = ask, [p, q] = people[u], [x, y] = films[m], value = mean + p * x + q * y
      top.forEach((o, i) => o.forEach((e, k) => tint(e, films[i][k], i === m)))
      left.forEach((o, i) => o.forEach((e, k) => tint(e, people[i][k], i === u)))
      cells.forEach((row, i) => row.forEach((o, j) => {
        const r = stars[i][j], asked = i === u && j === m
        o.textContent = asked ? '?' : r || ''
        o.className = asked ? 'asked' : r ? 'rated' : ''
        o.setAttribute('aria-label', `Person ${i + 1}, film ${j + 1}: ${asked ? 'the cell in question' : r ? r + (r > 1 ? ' stars' : ' star') : 'blank'}`)
      }))
      answer.textContent = `? ≈ ${Math.min(5, Math.max(1, value)).toFixed(1)} stars`
      sum.textContent = `${mean} + (${number(p)} × ${number(x)}) + (${number(q)} × ${number(y)}) = ${number(value)}` + (value < 1 || value > 5 ? ', kept between 1 and 5' : '')
      hero.dataset.state = JSON.stringify({ask, people, value, stars})
    }
    show()
    hero.append(grid, says)
    const frame = picture.closest('p') || picture
    frame.after(hero); frame.classList.add('live')
  }

  fit()
  const idle = f => window.requestIdleCallback ? requestIdleCallback(f, {timeout: 200}) : setTimeout(f, 50)
  addEventListener('load', () => { fit(); if (location.hash) reveal() })
  addEventListener('resize', () => idle(fit))
  addEventListener('toggle', () => idle(fit), true)
})()
