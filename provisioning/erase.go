package provisioning

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/policies"
)

// Erase forgets why plans were made, and why people could not be reconciled, where a text says one of these words, and takes such comments out of the files of policies: what these mean, and
// their hashes, stay.
func Erase(tx *db.Tx, words []string) (int64, error) {
	var n int64
	for _, step := range []struct{ column, sql string }{
		{"reason", "update plan_reasons set reason = '' where reason <> '' and "},
		{"error", "update failures set error = '' where error <> '' and "},
		{"problem", "update plan_schedules set problem = '' where problem <> '' and "},
	} {
		said, args := tx.Contains(step.column, words)
		done := tx.Exec(step.sql+said, args...)
		if done.Error != nil {
			return n, fmt.Errorf("erase texts about plans: %w", done.Error)
		}
		n += done.RowsAffected
	}
	for _, of := range []struct{ table, key string }{{"plans", "id"}, {"policy_versions", "plan"}} {
		some, err := eraseComments(tx, of.table, of.key, words)
		if n += some; err != nil {
			return n, err
		}
	}
	return n, nil
}

// eraseComments takes the comments that say one of these words out of the files that a table holds.
func eraseComments(tx *db.Tx, table, key string, words []string) (n int64, err error) {
	said, args := tx.Contains("files", words)
	var keys []string
	if err := tx.Raw("select "+key+" from "+table+" where "+said, args...).Scan(&keys).Error; err != nil {
		return 0, fmt.Errorf("look at files of %s: %w", table, err)
	}
	says := func(text string) bool {
		return slices.ContainsFunc(words, func(word string) bool {
			return word != "" && strings.Contains(strings.ToLower(text), strings.ToLower(word))
		})
	}
	for _, one := range keys {
		var row struct{ Files db.JSON[[]File] }
		if err := tx.Raw("select files from "+table+" where "+key+" = ?", one).Scan(&row).Error; err != nil {
			return n, fmt.Errorf("read files of %s: %w", table, err)
		}
		files, differ := slices.Clone(row.Files.V), false
		for i, file := range files {
			files[i] = policies.WithoutComments(file, says)
			if len(files) == 1 && says(file.Name) { // of several the names order what they say
				files[i].Name = fmt.Sprintf("file-%d.yaml", i+1)
			}
			differ = differ || files[i] != file
		}
		if !differ {
			continue
		}
		if err := tx.Exec("update "+table+" set files = ? where "+key+" = ?", db.JSON[[]File]{V: files}, one).Error; err != nil {
			return n, fmt.Errorf("erase comments of %s: %w", table, err)
		}
		n++
	}
	return n, nil
}
