"""From reports to the beginnings and ends of incidents, without IO."""
