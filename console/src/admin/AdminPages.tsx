import { ApartmentOutlined, AuditOutlined, BranchesOutlined, CloudServerOutlined, CommentOutlined, FileDoneOutlined, FileProtectOutlined, HomeOutlined, IdcardOutlined, KeyOutlined, NotificationOutlined, PauseCircleOutlined, SafetyCertificateOutlined, SolutionOutlined, SwapOutlined, TeamOutlined, ThunderboltOutlined, UserSwitchOutlined } from "@ant-design/icons";
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, type ReactNode } from "react";
import { Redirect, Route, Switch, useLocation } from "wouter";
import { holds, isOpen } from "../api/holds";
import { handovers } from "../api/inbox";
import { needsLook } from "../api/health";
import { sources } from "../api/sources";
import { workItemGroups } from "../api/workitems";
import { useTexts } from "../i18n";
import { may, mayEverywhere, owns } from "../session/rules";
import { useMe } from "../session/session";
import type { Me } from "../api/me";
import { Frame, NavItem } from "../ui/Frame";
import { Loading, NotFound } from "../ui/states";
import { HomePage } from "./home/HomePage";

const PeoplePage = lazy(() => import("./people/PeoplePage"));
const PersonPage = lazy(() => import("./people/PersonPage"));
const AccessPage = lazy(() => import("./access/AccessPage"));
const GroupsPage = lazy(() => import("./groups/GroupsPage"));
const GroupPage = lazy(() => import("./groups/GroupPage"));
const GuestsPage = lazy(() => import("./guests/GuestsPage"));
const GuestPage = lazy(() => import("./guests/GuestPage"));
const CompaniesPage = lazy(() => import("./guests/CompaniesPage"));
const CompanyPage = lazy(() => import("./guests/CompanyPage"));
const PoliciesPage = lazy(() => import("./policies/PoliciesPage"));
const PlanPage = lazy(() => import("./policies/PlanPage"));
const UnitsPage = lazy(() => import("./units/UnitsPage"));
const HoldsPage = lazy(() => import("./holds/HoldsPage"));
const SetAsidePage = lazy(() => import("./aside/SetAsidePage"));
const HandoversPage = lazy(() => import("./handovers/HandoversPage"));
const ApprovalsPage = lazy(() => import("./approvals/ApprovalsPage"));
const EvidencePage = lazy(() => import("./evidence/EvidencePage"));
const ReviewPage = lazy(() => import("./evidence/ReviewPage"));
const SourcesPage = lazy(() => import("./sources/SourcesPage"));
const SourcePage = lazy(() => import("./sources/SourcePage"));
const MappingPage = lazy(() => import("./sources/ldap/MappingPage"));
const WorkItemsPage = lazy(() => import("./workitems/WorkItemsPage"));
const WorkItemPage = lazy(() => import("./workitems/WorkItemPage"));
const AdminsPage = lazy(() => import("./admins/AdminsPage"));
const DrillsPage = lazy(() => import("./drills/DrillsPage"));
const TransmitterPage = lazy(() => import("./transmitter/TransmitterPage"));
const AuditPage = lazy(() => import("./audit/AuditPage"));

/** AdminPages is the console: everything below /admin. */
export default function AdminPages() {
  const { t } = useTexts();
  const me = useMe();
  const first = places(me)[0];
  return (
    <Frame title={t.shell.admin} nav={<Navigation />}>
      <Suspense fallback={<Loading full />}>
        <Switch>
          <Route path="/admin">{first === "/admin" ? <HomePage /> : first ? <Redirect to={first} replace /> : <NotFound full />}</Route>
          <Route path="/admin/people" component={PeoplePage} />
          <Route path="/admin/people/:id">{({ id }) => <PersonPage key={id} id={id} />}</Route>
          <Route path="/admin/access/:how?">{({ how }) => <AccessPage how={how ?? ""} />}</Route>
          <Route path="/admin/groups" component={GroupsPage} />
          <Route path="/admin/groups/:id">{({ id }) => <GroupPage key={id} id={id} />}</Route>
          <Route path="/admin/guests" component={GuestsPage} />
          <Route path="/admin/guests/:id">{({ id }) => <GuestPage key={id} id={id} />}</Route>
          <Route path="/admin/companies" component={CompaniesPage} />
          <Route path="/admin/companies/:id">{({ id }) => <CompanyPage key={id} id={id} />}</Route>
          <Route path="/admin/policies" component={PoliciesPage} />
          <Route path="/admin/policies/plans/:id">{({ id }) => <PlanPage key={id} id={id} />}</Route>
          <Route path="/admin/units" component={UnitsPage} />
          <Route path="/admin/holds" component={HoldsPage} />
          <Route path="/admin/set-aside" component={SetAsidePage} />
          <Route path="/admin/handovers" component={HandoversPage} />
          <Route path="/admin/approvals" component={ApprovalsPage} />
          <Route path="/admin/evidence" component={EvidencePage} />
          <Route path="/admin/evidence/reviews/:id">{({ id }) => <ReviewPage key={id} id={id} />}</Route>
          <Route path="/admin/work-items" component={WorkItemsPage} />
          <Route path="/admin/work-items/:id">{({ id }) => <WorkItemPage key={id} id={id} />}</Route>
          <Route path="/admin/sources" component={SourcesPage} />
          <Route path="/admin/sources/:id/mapping">{({ id }) => <MappingPage key={id} id={id} />}</Route>
          <Route path="/admin/sources/:id">{({ id }) => <SourcePage key={id} id={id} />}</Route>
          <Route path="/admin/drills" component={DrillsPage} />
          <Route path="/admin/transmitter" component={TransmitterPage} />
          <Route path="/admin/audit" component={AuditPage} />
          <Route path="/admin/admins" component={AdminsPage} />
          <Route>
            <NotFound full />
          </Route>
        </Switch>
      </Suspense>
    </Frame>
  );
}

/** places answers what of the console is for somebody, in the order of the menu. */
function places(me: Me): string[] {
  const all: [string, boolean][] = [
    ["/admin", ["people.read", "holds.read", "sources.read", "audit.read"].every((p) => mayEverywhere(me, p))],
    ["/admin/people", may(me, "people.read")],
    ["/admin/access", mayEverywhere(me, "access.explain") && mayEverywhere(me, "groups.read")],
    ["/admin/groups", mayEverywhere(me, "groups.read") || owns(me)],
    ["/admin/guests", mayEverywhere(me, "guests.read")],
    ["/admin/policies", mayEverywhere(me, "policies.read")],
    ["/admin/units", mayEverywhere(me, "policies.read")],
    ["/admin/holds", mayEverywhere(me, "holds.read")],
    ["/admin/handovers", mayEverywhere(me, "people.read")],
    ["/admin/approvals", mayEverywhere(me, "requests.read")],
    ["/admin/work-items", mayEverywhere(me, "people.read")],
    ["/admin/sources", mayEverywhere(me, "sources.read")],
    ["/admin/evidence", may(me, "evidence.read")],
    ["/admin/drills", mayEverywhere(me, "drills.read")],
    ["/admin/transmitter", mayEverywhere(me, "signals.read")],
    ["/admin/audit", mayEverywhere(me, "audit.read")],
    ["/admin/admins", me.admin === true],
  ];
  return all.filter(([, shown]) => shown).map(([path]) => path);
}

function Navigation() {
  const { t } = useTexts();
  const me = useMe();
  const shown = places(me);
  const [location] = useLocation();
  const waiting = useQuery({ queryKey: ["holds"], queryFn: ({ signal }) => holds(signal), refetchInterval: 60_000, enabled: shown.includes("/admin/holds") });
  const open = waiting.data?.items.filter(isOpen).length ?? 0;
  const doubts = useQuery({ queryKey: ["workitems", "groups"], queryFn: ({ signal }) => workItemGroups(signal), refetchInterval: 60_000, enabled: shown.includes("/admin/work-items") });
  const unowned = useQuery({ queryKey: ["handovers", "waiting"], queryFn: ({ signal }) => handovers("waiting", signal), refetchInterval: 60_000, enabled: shown.includes("/admin/handovers") });
  const known = useQuery({ queryKey: ["sources"], queryFn: ({ signal }) => sources(signal), refetchInterval: 60_000, enabled: shown.includes("/admin/sources") });
  const ill = known.data?.items.filter((s) => needsLook(s.health)).length ?? 0;
  const at = (path: string) => (path === "/admin" ? location === path : location === path || location.startsWith(`${path}/`) || (path === "/admin/guests" && location.startsWith("/admin/companies")));
  const item = (path: string, icon: ReactNode, text: string, note?: ReactNode) => (path === "/chat" || shown.includes(path)) && (
    <li key={path}>
      <NavItem href={path} current={at(path)} icon={icon} note={note}>
        {text}
      </NavItem>
    </li>
  );
  return (
    <ul>
      {me.person && item("/chat", <CommentOutlined />, t.shell.backToChat)}
      {item("/admin", <HomeOutlined />, t.shell.home)}
      {item("/admin/people", <TeamOutlined />, t.shell.people)}
      {item("/admin/access", <KeyOutlined />, t.shell.access)}
      {item("/admin/groups", <ApartmentOutlined />, t.shell.groups)}
      {item("/admin/guests", <IdcardOutlined />, t.guests.title)}
      {item("/admin/policies", <FileProtectOutlined />, t.shell.policies)}
      {item("/admin/units", <BranchesOutlined />, t.units.title)}
      {item("/admin/holds", <PauseCircleOutlined />, t.shell.holds, open || undefined)}
      {item("/admin/handovers", <SwapOutlined />, t.inbox.handovers, unowned.data?.items.length || undefined)}
      {item("/admin/approvals", <FileDoneOutlined />, t.approvals.title)}
      {item("/admin/work-items", <UserSwitchOutlined />, t.review.nav, doubts.data?.open || undefined)}
      {item("/admin/sources", <CloudServerOutlined />, t.shell.sources, ill || undefined)}
      {item("/admin/evidence", <SolutionOutlined />, t.evidence.title)}
      {item("/admin/drills", <ThunderboltOutlined />, t.drills.title)}
      {item("/admin/transmitter", <NotificationOutlined />, t.transmitter.title)}
      {item("/admin/audit", <AuditOutlined />, t.shell.audit)}
      {item("/admin/admins", <SafetyCertificateOutlined />, t.shell.admins)}
    </ul>
  );
}
