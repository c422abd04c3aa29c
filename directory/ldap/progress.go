package ldap

// Under answers how far the sync that is under way has come; ok is false where none is.
func (s *Syncer) Under() (at Progress, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.under == nil {
		return Progress{}, false
	}
	return *s.under, true
}

func (s *Syncer) progress(p Progress) {
	s.mu.Lock()
	s.under = &p
	s.mu.Unlock()
	if s.Progress != nil {
		s.Progress(p)
	}
}

// over notes that no sync is under way.
func (s *Syncer) over() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.under = nil
}

// config answers the configuration in force.
func (s *Syncer) config() Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Config
}
