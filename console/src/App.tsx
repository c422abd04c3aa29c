import { MutationCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { App as AntApp, ConfigProvider } from "antd";
import antEn from "antd/locale/en_US";
import antZh from "antd/locale/zh_CN";
import { lazy, Suspense, useState, type ReactNode } from "react";
import { Redirect, Route, Switch, useLocation } from "wouter";
import { Problem } from "./api/client";
import { LocaleProvider, useTexts } from "./i18n";
import { EndedPage } from "./session/EndedPage";
import { owns } from "./session/rules";
import { SessionProvider, useSession } from "./session/session";
import { SignInPage } from "./session/SignInPage";
import { ModeProvider, useMode } from "./theme/mode";
import { nonce } from "./theme/nonce";
import { antTheme } from "./theme/tokens";
import { Failure, Loading, NotFound } from "./ui/states";
import { CrashGuard } from "./ui/CrashGuard";

const ChatPage = lazy(() => import("./chat/ChatPage"));
const InboxPage = lazy(() => import("./inbox/InboxPage"));
const JoiningPage = lazy(() => import("./joining/JoiningPage"));
const MyGuestsPage = lazy(() => import("./guests/MyGuestsPage"));
const ProjectPage = lazy(() => import("./guests/ProjectPage"));
const AdminPages = lazy(() => import("./admin/AdminPages"));

const makeQueries = () =>
  new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 10_000,
        retry: (count, error) => count < 2 && !(error instanceof Problem && error.status >= 400 && error.status < 500),
      },
    },
    mutationCache: new MutationCache(),
  });

/** App is the whole web app: languages, light and dark, the session, and the pages by address. */
export function App() {
  const [queries] = useState(makeQueries);
  return (
    <LocaleProvider>
      <ModeProvider>
        <Design>
          <QueryClientProvider client={queries}>
            <SessionProvider>
              <CrashGuard>
                <Pages />
              </CrashGuard>
            </SessionProvider>
          </QueryClientProvider>
        </Design>
      </ModeProvider>
    </LocaleProvider>
  );
}

function Design({ children }: { children: ReactNode }) {
  const { locale } = useTexts();
  const { mode } = useMode();
  return (
    <ConfigProvider theme={antTheme(mode)} locale={locale === "zh-CN" ? antZh : antEn} csp={nonce ? { nonce } : undefined} button={{ autoInsertSpace: false }} wave={{ disabled: true }}>
      <AntApp component={false} message={{ maxCount: 2 }}>
        {children}
      </AntApp>
    </ConfigProvider>
  );
}

function Pages() {
  const { session, retry } = useSession();
  const [location] = useLocation();
  if (session.state === "ended") return <EndedPage ending={session.ending} />;
  if (location === "/signin") return <SignInPage />;
  if (session.state === "loading") return <Loading full />;
  if (session.state === "failed") return <Failure full error={session.problem} retry={retry} />;
  if (session.state === "anonymous") return <SignInPage back={location + window.location.search} />;
  const { me } = session;
  return (
    <Suspense fallback={<Loading full />}>
      <Switch>
        <Route path="/">
          <Redirect to={me.person ? "/chat" : "/admin"} replace />
        </Route>
        <Route path="/chat/:channel?">{({ channel }) => (me.person ? <ChatPage channel={channel ?? ""} /> : <Redirect to="/admin" replace />)}</Route>
        {me.person && <Route path="/inbox" component={InboxPage} />}
        {me.person && <Route path="/groups" component={JoiningPage} />}
        {me.person && <Route path="/guests" component={MyGuestsPage} />}
        {me.person && <Route path="/guests/projects/:id">{({ id }) => <ProjectPage key={id} id={id} />}</Route>}
        {(me.admin || owns(me)) && (
          <Route path="/admin/*?">
            <AdminPages />
          </Route>
        )}
        <Route>
          <NotFound full />
        </Route>
      </Switch>
    </Suspense>
  );
}
