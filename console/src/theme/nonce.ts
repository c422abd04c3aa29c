/** nonce is the one that the page's security policy allows styles with; undefined in development. */
export const nonce: string | undefined = (() => {
  const value = document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.nonce;
  return value && !value.startsWith("__") ? value : undefined;
})();

// Ant Design passes the nonce to nearly all of its styles; a few (the scroll lock of a dialog) know none.
if (nonce) {
  const create = document.createElement.bind(document);
  document.createElement = ((tag: string, options?: ElementCreationOptions) => {
    const element = create(tag, options);
    if (element instanceof HTMLStyleElement) element.nonce = nonce;
    return element;
  }) as typeof document.createElement;
}
