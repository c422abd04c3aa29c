// The design language, all of it: colours, type, space, shape. Ant Design's theme and our own CSS variables
// (--rc-…) are both made from this file, so that nothing else names a colour or a size.
import { theme as antd, type ThemeConfig } from "antd";

export type Mode = "light" | "dark";

type Palette = {
  canvas: string; // the page
  surface: string; // cards, tables, popups
  sunken: string; // sidebar, code
  hover: string;
  selected: string;
  line: string;
  text: string;
  muted: string; // second-rank text; keeps 4.5:1 on canvas and sunken
  accent: string;
  accentText: string; // accent as text
  onAccent: string;
  good: string;
  warn: string;
  bad: string;
  goodSoft: string;
  warnSoft: string;
  badSoft: string;
  accentSoft: string;
};

const palettes: Record<Mode, Palette> = {
  light: {
    canvas: "#ffffff",
    surface: "#ffffff",
    sunken: "#f7f7f8",
    hover: "#f0f0f2",
    selected: "#e8e9ee",
    line: "#e6e6ea",
    text: "#1c1d21",
    muted: "#62656e",
    accent: "#3b5bdb",
    accentText: "#3350c4",
    onAccent: "#ffffff",
    good: "#1a7f4b",
    warn: "#9a6200",
    bad: "#c02b34",
    goodSoft: "#e7f5ed",
    warnSoft: "#fdf3dd",
    badSoft: "#fcebec",
    accentSoft: "#edf0fc",
  },
  dark: {
    canvas: "#16171a",
    surface: "#1c1d21",
    sunken: "#121316",
    hover: "#232429",
    selected: "#2b2d34",
    line: "#2b2d33",
    text: "#e6e7ea",
    muted: "#9a9da6",
    accent: "#5b78f0",
    accentText: "#93a7f8",
    onAccent: "#ffffff",
    good: "#5cc58c",
    warn: "#dfab4b",
    bad: "#f0787f",
    goodSoft: "#17301f",
    warnSoft: "#34290f",
    badSoft: "#391d20",
    accentSoft: "#222a48",
  },
};

export const sizes = {
  font: '"Inter", system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "PingFang SC", "Hiragino Sans GB", "Microsoft YaHei", "Noto Sans CJK SC", "Noto Sans SC", sans-serif',
  mono: 'ui-monospace, "SF Mono", "Cascadia Code", "JetBrains Mono", Menlo, Consolas, "DejaVu Sans Mono", "Noto Sans Mono CJK SC", monospace',
  text: 14,
  small: 12.5,
  title: 20,
  radius: 8,
  sidebar: 248,
  page: 1080, // the widest a page of the console grows
} as const;

/** antTheme is Ant Design's theme in a mode. */
export function antTheme(mode: Mode): ThemeConfig {
  const p = palettes[mode];
  return {
    algorithm: mode === "dark" ? antd.darkAlgorithm : antd.defaultAlgorithm,
    cssVar: { key: `rollcall-${mode}` },
    hashed: false,
    token: {
      colorPrimary: p.accent,
      colorInfo: p.accent,
      colorLink: p.accentText,
      colorSuccess: p.good,
      colorSuccessBg: p.goodSoft,
      colorWarning: p.warn,
      colorWarningBg: p.warnSoft,
      colorError: p.bad,
      colorTextBase: p.text,
      colorBgBase: p.canvas,
      colorBgContainer: p.surface,
      colorBgElevated: p.surface,
      colorBgLayout: p.canvas,
      colorBorder: p.line,
      colorBorderSecondary: p.line,
      colorSplit: p.line,
      colorTextSecondary: p.muted,
      colorTextTertiary: p.muted,
      colorTextDescription: p.muted,
      colorTextPlaceholder: p.muted,
      fontFamily: sizes.font,
      fontFamilyCode: sizes.mono,
      fontSize: sizes.text,
      borderRadius: sizes.radius,
      controlHeight: 34,
      wireframe: false,
      motion: !window.matchMedia("(prefers-reduced-motion: reduce)").matches,
      boxShadow: mode === "dark" ? "0 8px 28px rgba(0,0,0,.5)" : "0 8px 28px rgba(20,22,30,.12)",
    },
    components: {
      Button: { primaryShadow: "none", defaultShadow: "none", dangerShadow: "none", fontWeight: 500 },
      Table: { headerBg: p.surface, headerColor: p.muted, rowHoverBg: p.hover, headerSplitColor: "transparent", cellPaddingBlock: 11, cellPaddingInline: 12 },
      Tabs: { horizontalItemPadding: "8px 0", titleFontSize: sizes.text },
      Modal: { titleFontSize: 16 },
      Segmented: { trackBg: p.hover, itemSelectedBg: mode === "dark" ? p.selected : p.surface },
    },
  };
}

/** applyTokens puts the tokens of a mode on the document, for our own style sheets. */
export function applyTokens(mode: Mode): void {
  const root = document.documentElement;
  root.dataset["theme"] = mode;
  root.style.colorScheme = mode;
  for (const [name, value] of Object.entries(palettes[mode])) {
    root.style.setProperty(`--rc-${name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`, value);
  }
  root.style.setProperty("--rc-font", sizes.font);
  root.style.setProperty("--rc-mono", sizes.mono);
  root.style.setProperty("--rc-text-size", `${sizes.text}px`);
  root.style.setProperty("--rc-small", `${sizes.small}px`);
  root.style.setProperty("--rc-title", `${sizes.title}px`);
  root.style.setProperty("--rc-radius", `${sizes.radius}px`);
  root.style.setProperty("--rc-sidebar", `${sizes.sidebar}px`);
  root.style.setProperty("--rc-page", `${sizes.page}px`);
}

/** hue answers a calm colour for a thing with this id: the same one each time. */
export function hue(id: string, mode: Mode): { background: string; color: string } {
  let h = 0;
  for (const c of id) h = (h * 31 + (c.codePointAt(0) ?? 0)) >>> 0;
  const angle = (h % 24) * 15;
  return mode === "dark"
    ? { background: `hsl(${angle} 28% 26%)`, color: `hsl(${angle} 60% 86%)` }
    : { background: `hsl(${angle} 46% 90%)`, color: `hsl(${angle} 48% 28%)` };
}
