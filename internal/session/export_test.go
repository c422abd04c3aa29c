package session

import "time"

// MigrationOf answers the text of a migration.
func MigrationOf(name string) (string, error) {
	text, err := migrations.ReadFile("migrations/" + name)
	return string(text), err
}

// CodeAt answers the code of a secret at an instant.
func CodeAt(secret string, now time.Time) string {
	code, err := codeOf(secret, now.Unix()/totpStep)
	if err != nil {
		panic(err)
	}
	return code
}
