"""What every table, measure, rule, sentence and setting promises; everything else is derived."""
