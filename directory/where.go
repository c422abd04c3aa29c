package directory

// Column is something a query may compare or sort by.
type Column string

// Columns of records. Text compares without regard to case unless said otherwise.
const (
	ColID             Column = "id"          // exact
	ColExternalID     Column = "external_id" // exact
	ColUserName       Column = "user_name"
	ColDisplayName    Column = "display_name"
	ColGivenName      Column = "given_name"
	ColFamilyName     Column = "family_name"
	ColTitle          Column = "title"
	ColDepartment     Column = "department"
	ColDivision       Column = "division"
	ColOrganization   Column = "organization"
	ColCompany        Column = "company"
	ColCostCenter     Column = "cost_center"
	ColEmployeeNumber Column = "employee_number"
	ColEmployeeType   Column = "employee_type"
	ColLocale         Column = "locale"
	ColTimeZone       Column = "time_zone"
	ColManager        Column = "manager" // exact: the key of the manager's record
	ColActive         Column = "active"  // bool
	ColCreated        Column = "created" // time.Time
	ColModified       Column = "modified"
	ColStart          Column = "start" // time.Time; absent is not present
	ColEnd            Column = "end"
	ColEmail          Column = "email"         // any address; inside Element the one
	ColEmailType      Column = "email_type"    // only meaningful inside Element, else of any address
	ColEmailPrimary   Column = "email_primary" // bool
	ColPhone          Column = "phone"
	ColPhoneType      Column = "phone_type"
	ColPhonePrimary   Column = "phone_primary"
	ColMainEmail      Column = "main_email" // the primary address, else the first
	ColMainPhone      Column = "main_phone"
	ColGroup          Column = "group"  // exact: id of a group the record is directly in
	ColMember         Column = "member" // of groups; exact: a member's value
)

// Op is how a column is compared.
type Op string

// The operators of RFC 7644 section 3.4.2.2. What is not there is equal to "" and to nothing else; it has no order and holds no text.
const (
	Eq Op = "eq"
	Ne Op = "ne"
	Co Op = "co"
	Sw Op = "sw"
	Ew Op = "ew"
	Gt Op = "gt"
	Ge Op = "ge"
	Lt Op = "lt"
	Le Op = "le"
	Pr Op = "pr" // present; Value is not looked at
)

// Where is a condition of a query: Compare, And, Or, Not, Element, Always or Never.
type Where interface{ where() }

// Compare compares one column with a string, bool, time.Time or float64, as the column wants it.
type Compare struct {
	Column Column
	Op     Op
	Value  any
}

// And holds where all of it does; empty holds.
type And []Where

// Or holds where any of it does; empty does not.
type Or []Where

// Not holds where Of does not.
type Not struct{ Of Where }

// Element holds where one and the same e-mail (ColEmail…), phone (ColPhone…) or value of a RawList satisfies Of: SCIM's `emails[…]`.
type Element struct {
	Of   Where
	Kind Column // ColEmail, ColPhone or a RawList
}

// Always holds; Never does not.
type (
	Always struct{}
	Never  struct{}
)

func (Compare) where() {}
func (And) where()     {}
func (Or) where()      {}
func (Not) where()     {}
func (Element) where() {}
func (Always) where()  {}
func (Never) where()   {}
