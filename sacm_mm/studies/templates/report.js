// A click on a column's head sorts the table by it; cells without a value stay last.
for (const table of document.querySelectorAll('table.sortable')) {
  const body = table.tBodies[0];
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement('button');
    while (head.firstChild && head.firstChild.nodeName !== 'SMALL') button.append(head.firstChild);
    head.prepend(button);
    button.addEventListener('click', () => {
      const down = head.getAttribute('aria-sort') === 'ascending';
      for (const other of table.tHead.rows[0].cells) other.removeAttribute('aria-sort');
      head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
      const value = row => row.cells[column].dataset.value ?? '';
      const known = [...body.rows].filter(row => value(row) !== '');
      known.sort((a, b) => {
        const [x, y] = [value(a), value(b)];
        const order = isNaN(x) || isNaN(y) ? x.localeCompare(y) : x - y;
        return down ? -order : order;
      });
      body.prepend(...known);
    });
  });
}
