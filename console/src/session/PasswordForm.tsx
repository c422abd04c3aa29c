import { Button, Form, Input } from "antd";
import { useState } from "react";
import { Problem } from "../api/client";
import { signInWithPassword } from "../api/signin";
import { useTexts } from "../i18n";
import { local } from "./rules";

/** PasswordForm asks for what the company's directory knows somebody by. The password is kept nowhere, and gone after each try. */
export function PasswordForm({ back, refused }: { back: string | null; refused: (code: string) => void }) {
  const { t } = useTexts();
  const [form] = Form.useForm<{ login: string; password: string }>();
  const [busy, setBusy] = useState(false);
  const submit = async ({ login, password }: { login: string; password: string }) => {
    setBusy(true);
    refused("");
    try {
      window.location.assign(local(await signInWithPassword(login, password, local(back))));
    } catch (error) {
      form.resetFields(["password"]);
      refused(error instanceof Problem ? error.code : "internal");
      setBusy(false);
    }
  };
  return (
    <Form form={form} layout="vertical" requiredMark={false} onFinish={submit} disabled={busy}>
      <Form.Item name="login" label={t.signin.loginName} rules={[{ required: true, whitespace: true, message: t.signin.errors.password_missing }]}>
        <Input size="large" autoComplete="username" autoCapitalize="none" spellCheck={false} maxLength={256} autoFocus />
      </Form.Item>
      <Form.Item name="password" label={t.signin.password} rules={[{ required: true, message: t.signin.errors.password_missing }]}>
        <Input.Password size="large" autoComplete="current-password" maxLength={1024} />
      </Form.Item>
      <Button type="primary" size="large" block htmlType="submit" loading={busy}>
        {t.signin.passwordButton}
      </Button>
    </Form>
  );
}
