import { App as AntApp, Button } from "antd";
import { useTexts } from "../i18n";

/** Copy puts a text into the clipboard, and says so. */
export function Copy({ text, children, primary }: { text: string; children?: string; primary?: boolean }) {
  const { t } = useTexts();
  const { message } = AntApp.useApp();
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      copyBySelection(text); // no clipboard without https
    }
    void message.success(t.shell.copied);
  };
  return (
    <Button size={primary || children ? "middle" : "small"} type={primary ? "primary" : "default"} onClick={() => void copy()} aria-label={children ?? t.shell.copy}>
      {children ?? t.shell.copy}
    </Button>
  );
}

function copyBySelection(text: string) {
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}
