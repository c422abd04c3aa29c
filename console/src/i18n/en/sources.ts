export const sources = {
  title: "Sources",
  lead: "Systems that say who works here. For each attribute the source with the lowest number wins.",
  none: "No source is connected",
  noneHint: "Connect one with `rollcall source add`.",
  priority: "Priority",
  created: "Connected",
  lastSync: "Last heard",
  records: "Records",
  advisory: "Adds attributes only",
  kind: "Kind",
  name: "Name",
  state: { ok: "Healthy", failed: "Failing", stale: "Quiet for long", never: "Nothing yet" },
};
