"""What is shown, before anybody draws it: tables, figures and sentences made from a published version, without a screen."""
