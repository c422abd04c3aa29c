package session

// MigrationOf answers the text of a migration.
func MigrationOf(name string) (string, error) {
	text, err := migrations.ReadFile("migrations/" + name)
	return string(text), err
}
