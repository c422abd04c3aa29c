import { createContext, use, useEffect, useMemo, useState, type ReactNode } from "react";
import { read, write } from "../session/stored";
import { applyTokens, type Mode } from "./tokens";

/** Choice is what a person chose; "system" follows the device. */
export type Choice = Mode | "system";

type Value = { mode: Mode; choice: Choice; choose: (c: Choice) => void };

const ModeContext = createContext<Value>({ mode: "light", choice: "system", choose: () => {} });

export const useMode = () => use(ModeContext);

const dark = window.matchMedia("(prefers-color-scheme: dark)");

const stored = (): Choice => {
  const c = read("theme");
  return c === "light" || c === "dark" ? c : "system";
};

const resolve = (c: Choice): Mode => (c === "system" ? (dark.matches ? "dark" : "light") : c);

/** ModeProvider holds light or dark, as chosen or as the device says. */
export function ModeProvider({ children }: { children: ReactNode }) {
  const [choice, setChoice] = useState<Choice>(stored);
  const [mode, setMode] = useState<Mode>(() => resolve(stored()));

  useEffect(() => {
    const follow = () => setMode(resolve(choice));
    follow();
    dark.addEventListener("change", follow);
    return () => dark.removeEventListener("change", follow);
  }, [choice]);
  useEffect(() => applyTokens(mode), [mode]);

  const value = useMemo<Value>(
    () => ({
      mode,
      choice,
      choose: (c) => {
        write("theme", c === "system" ? null : c);
        setChoice(c);
      },
    }),
    [mode, choice],
  );
  return <ModeContext value={value}>{children}</ModeContext>;
}
