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
    const row = math.querySelector(':scope > semantics > mrow, :scope > mrow'), room = box.clientWidth
    const width = Math.max(math.getBoundingClientRect().width, math.scrollWidth, row ? row.getBoundingClientRect().width : 0)
    if (!room || width <= room + 1) return
    const lines = [[]]
    let used = 0
    for (const o of row ? row.children : []) {
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
    if (n > 4) { o.style.textIndent = `-${n}ch`; o.style.paddingLeft = `${n}ch` }
  })
  const fit = () => {
    all('main table:not(.cl-w table)').forEach(o => {
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

  fit()
  const idle = f => window.requestIdleCallback ? requestIdleCallback(f, {timeout: 200}) : setTimeout(f, 50)
  addEventListener('load', () => { fit(); if (location.hash) reveal() })
  addEventListener('resize', () => idle(fit))
  addEventListener('toggle', () => idle(fit), true)
})()
