// What both builders leave out: the keyboard where they have only the mouse, focus for what scrolls sideways, and a reader mode for smalldocs.
(() => {
  'use strict'
  const all = (css, root = document) => [...root.querySelectorAll(css)]
  document.addEventListener('keydown', e => {
    if ((e.key === 'Enter' || e.key === ' ') && e.target.matches('a[role=button]:not([href])')) { e.preventDefault(); e.target.click() }
  })
  const wide = () => all('main pre, main .cell-output-display, main .cell-output, main .math.display, main table, .sidebar').forEach(o => {
    if (o.scrollWidth > o.clientWidth + 1 || (o.matches('.sidebar') && o.scrollHeight > o.clientHeight + 1)) o.tabIndex = 0
    else if (!o.matches('.sidebar')) o.removeAttribute('tabindex')
  })
  const reader = document.querySelector('.book-reader')
  if (reader) {
    const set = on => { document.documentElement.classList.toggle('reader', on); reader.setAttribute('aria-pressed', on) }
    let on = false
    try { on = localStorage.getItem('book-reader') === 'true' } catch (e) { /* a private window */ }
    set(on)
    reader.addEventListener('click', e => {
      e.preventDefault(); set(on = !on)
      try { localStorage.setItem('book-reader', on) } catch (e) { /* a private window */ }
    })
  }
  const idle = window.requestIdleCallback || (f => setTimeout(f, 50))
  addEventListener('load', wide)
  addEventListener('resize', () => idle(wide))
})()
