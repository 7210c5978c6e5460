// Of each element of the selector, by its text: whether its first letter is seen, or cut off with what is too long.
(selector) => {
  const clips = (element) => getComputedStyle(element).overflowX !== "visible";
  const seen = (element) => {
    const range = document.createRange();
    range.setStart(element.firstChild, 0);
    range.setEnd(element.firstChild, 1);
    const letter = range.getBoundingClientRect();
    let clip = element;
    while (!clips(clip)) {
      clip = clip.parentElement;
    }
    const box = clip.getBoundingClientRect();
    return letter.left >= box.left - 1 && letter.right <= box.right + 1;
  };
  return Object.fromEntries([...document.querySelectorAll(selector)].map((it) => [it.textContent, seen(it)]));
}
