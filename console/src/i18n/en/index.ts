import { access } from "./access";
import { admins } from "./admins";
import { approvals } from "./approvals";
import { audit } from "./audit";
import { chat } from "./chat";
import { erasure } from "./erasure";
import { evidence } from "./evidence";
import { feed } from "./feed";
import { glass } from "./glass";
import { groups } from "./groups";
import { health } from "./health";
import { holds } from "./holds";
import { home } from "./home";
import { inbox } from "./inbox";
import { ldap } from "./ldap";
import { people } from "./people";
import { policies } from "./policies";
import { preview } from "./preview";
import { relink } from "./relink";
import { review } from "./review";
import { shell } from "./shell";
import { signin } from "./signin";
import { source } from "./source";
import { sources } from "./sources";
import { units } from "./units";
import { words } from "./words";

/** en is English: the shape that every other language must satisfy. */
export const en = { shell, signin, words, chat, home, people, access, groups, policies, holds, health, inbox, ldap, relink, feed, source, sources, preview, review, audit, admins, approvals, evidence, glass, erasure, units };
