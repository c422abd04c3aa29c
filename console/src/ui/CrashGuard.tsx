import { Button } from "antd";
import { Component, type ReactNode } from "react";
import { useTexts } from "../i18n";
import { Empty } from "./states";

/** CrashGuard keeps an error of one page from leaving an empty window. */
export class CrashGuard extends Component<{ children: ReactNode }, { crashed: boolean }> {
  override state = { crashed: false };

  static getDerivedStateFromError() {
    return { crashed: true };
  }

  override render() {
    return this.state.crashed ? <Crashed /> : this.props.children;
  }
}

function Crashed() {
  const { t } = useTexts();
  return (
    <Empty full title={t.shell.crashed} hint={t.shell.crashedHint}>
      <Button onClick={() => window.location.reload()}>{t.shell.reload}</Button>
    </Empty>
  );
}
