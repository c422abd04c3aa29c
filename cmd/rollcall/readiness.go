package main

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// ready tells whether this node may serve: the database answers and the index follows it.
func (a *app) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	if err := a.db.Read(ctx).Exec("select 1").Error; err != nil {
		http.Error(w, "database does not answer", http.StatusServiceUnavailable)
		return
	}
	if !a.index.Fresh() {
		http.Error(w, "out of touch with the other nodes", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ready")
	if a.unread.Load() {
		fmt.Fprintln(w, "the configuration was not reloaded: it is wrong, see the log; what was in force goes on")
	}
	if a.waiting.Load() {
		fmt.Fprintln(w, "what was changed in the configuration waits for a restart, see the log")
	}
	if a.restored.Load() != nil {
		standing, err := a.standing(ctx)
		if err != nil {
			standing.Unproven = []string{"not known: the database does not answer"}
		}
		fmt.Fprintln(w, "closed: this database was restored, and nobody but the restorer gets in until this is proven:")
		for _, one := range standing.Unproven {
			fmt.Fprintln(w, "-", one)
		}
	}
	if !a.index.ClockTrusted() {
		fmt.Fprintf(w, "this node's clock is %s ahead of the database's: whatever has a beginning or an end is denied here\n", a.index.Skew().Round(time.Millisecond))
	}
	if !a.onBus() {
		fmt.Fprintln(w, "the bus between the nodes is not reached")
	}
}
