import { useMutation } from "@tanstack/react-query";
import { App as AntApp, Button, Tooltip } from "antd";
import { unlockPassword } from "../../api/people";
import { useMethods } from "../../api/signin";
import { useTexts } from "../../i18n";
import { useProblemText } from "../../ui/states";

/** UnlockButton lets somebody sign in with their password at once, after wrong ones; nothing where nobody signs in so. */
export function UnlockButton({ id }: { id: string }) {
  const { t } = useTexts();
  const { message } = AntApp.useApp();
  const textOf = useProblemText();
  const { methods } = useMethods();
  const action = useMutation({
    mutationFn: () => unlockPassword(id),
    onSuccess: (done) => void message.success(t.people.unlocked(done.cleared)),
    onError: (error) => void message.error(textOf(error)),
  });
  if (!methods?.password) return null;
  return (
    <Tooltip title={t.people.unlockHint}>
      <Button loading={action.isPending} onClick={() => action.mutate()}>
        {t.people.unlock}
      </Button>
    </Tooltip>
  );
}
