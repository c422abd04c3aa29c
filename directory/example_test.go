package directory_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/feed"
	"github.com/rollcall-im/rollcall/internal/id"
)

// A source creates somebody and disables the account; the call returns when the freeze is in force.
func ExampleStore_Apply() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "rollcall-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	d, err := db.Open(ctx, "sqlite:"+filepath.Join(dir, "rollcall.db"))
	if err != nil {
		log.Fatal(err)
	}
	defer d.Close()
	for _, migrate := range []func(context.Context, *db.DB) error{feed.Migrate, audit.Migrate, directory.Migrate} {
		if err := migrate(ctx, d); err != nil {
			log.Fatal(err)
		}
	}
	store := directory.New(d, feed.New(d, "node", slog.Default()), slog.Default())
	store.Access = &gate{frozen: map[id.Person]map[string]directory.Freeze{}} // in production the provisioning reactor
	source, err := store.CreateSource(ctx, directory.Cause{Actor: "example"}, directory.Source{Name: "entra", Kind: directory.KindSCIM})
	if err != nil {
		log.Fatal(err)
	}
	cause := directory.Cause{Source: source.ID}
	made, err := store.Apply(ctx, cause, directory.CreateRecord{Record: directory.Record{Source: source.ID, UserName: "zhang.wei", Active: true,
		Attributes: directory.Attributes{GivenName: "伟", FamilyName: "张"}}})
	if err != nil {
		log.Fatal(err)
	}
	r := made.Records[0]
	if _, err := store.Apply(ctx, cause, directory.EditRecord{Source: source.ID, Link: r.Link, IfVersion: []int64{r.Version},
		Edit: func(r *directory.Record) error { r.Active = false; return nil }}); err != nil {
		log.Fatal(err)
	}
	p, err := store.Person(ctx, r.Person)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(p.DisplayName, p.Status, "frozen:", p.Frozen)
	// Output: 张伟 active frozen: true
}
