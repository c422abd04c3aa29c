// A SCIM service provider made of scimmy-routers as its documentation suggests, to be measured beside rollcall. People are
// objects in memory, the unique user name has an index: no disk, no audit, no history, nobody's access to take away. A filter is
// applied by the package's own matcher to what the handler answers; paging and sorting are the package's.
import {randomUUID} from "node:crypto";
import express from "express";
import SCIMMY from "scimmy";
import SCIMMYRouters from "scimmy-routers";

const people = new Map();
const names = new Map();

SCIMMY.Resources.User.extend(SCIMMY.Schemas.EnterpriseUser);
SCIMMY.Resources.declare(SCIMMY.Resources.User, {
    ingress: (resource, data) => {
        const id = resource.id ?? randomUUID();
        const known = people.get(id);
        if (resource.id && !known) throw new SCIMMY.Types.Error(404, null, `Resource ${id} not found`);
        const name = data.userName.toLowerCase();
        if ((names.get(name) ?? id) !== id) throw new SCIMMY.Types.Error(409, "uniqueness", "userName is taken");
        if (known) names.delete(known.userName.toLowerCase());
        names.set(name, id);
        const now = new Date();
        const person = {...JSON.parse(JSON.stringify(data)), id, meta: {created: known?.meta.created ?? now, lastModified: now}};
        people.set(id, person);
        return person;
    },
    egress: (resource) => {
        if (resource.id) {
            const person = people.get(resource.id);
            if (!person) throw new SCIMMY.Types.Error(404, null, `Resource ${resource.id} not found`);
            return person;
        }
        const all = [...people.values()];
        return resource.filter ? resource.filter.match(all) : all;
    },
    degress: (resource) => {
        names.delete(people.get(resource.id)?.userName.toLowerCase());
        people.delete(resource.id);
    }
});

const app = express();
app.use("/scim/v2", new SCIMMYRouters({
    type: "bearer",
    handler: (request) => {
        if (request.header("Authorization") !== `Bearer ${process.env.TOKEN}`) throw new Error("not the token");
        return "bench";
    }
}));
const server = app.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
