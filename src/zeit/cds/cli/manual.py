"""What is printed about a command: its version, manual page, completion. All from its parser."""

import importlib.metadata

from zeit.cds.cli.options import shown, USAGE
from zeit.cds.feed import SETTINGS
from zeit.cds.interfaces import ConfigurationError


def version(prog):
    return '%s %s' % (prog, importlib.metadata.version('zeit.cds'))


def completion(parser, shell):
    """The completion for a shell, str. Raises ConfigurationError without shtab."""
    try:
        import shtab
    except ImportError:
        raise ConfigurationError(
            '--completion needs shtab: pip install "zeit.cds[completion]"'
        ) from None
    return shtab.complete(parser, shell)


def man_page(parser):
    """The manual page of the parser's command (man(7)), str."""
    purpose = parser.description[0].lower() + parser.description[1:].rstrip('.')
    about, _, statuses = parser.epilog.partition('Exit status: ')
    lines = ['.TH %s 1 "" "%s" "User Commands"' % (parser.prog.upper(), version('zeit.cds')),
             '.SH NAME', escaped('%s - %s' % (parser.prog, purpose)),
             '.SH SYNOPSIS', '.nf', escaped(USAGE[parser.prog].replace('\n       ', '\n')), '.fi',
             '.SH DESCRIPTION', escaped(parser.description), '.PP', escaped(about)]
    for group in parser._action_groups:
        if options := [action for action in group._group_actions if action.option_strings]:
            lines += ['.SH ' + group.title.upper()]
            for action in options:
                lines += ['.TP', '.B ' + escaped(invocation(action)), escaped(explained(action))]
    return '\n'.join([*lines, '.SH EXIT STATUS', escaped(statuses)])


def invocation(action):
    text = ', '.join(action.option_strings)
    return text if action.nargs == 0 else '%s %s' % (text, action.metavar)


def explained(action):
    """The help of an option; for a setting, all that IFeed tells of it."""
    text = action.help.replace('%%', '%') + '.'
    field = SETTINGS.get(action.dest)
    return ' '.join([text, field.description]) if field is not None and field.description else text


def escaped(text):
    """For roff: nothing in it is markup."""
    text = text.rstrip().replace('\\', '\\e').replace('-', '\\-')
    return '\n'.join('\\&' + line if line[:1] in ('.', "'") else line for line in text.split('\n'))


def settings_table():
    """All settings, for the documentation: a list of (name, kind, default, explanation), str."""
    return [(name, kind(field), '' if field.default in (None, '', ()) else shown(field.default),
             '. '.join(filter(None, [field.title, field.description])).rstrip('.') + '.')
            for name, field in SETTINGS.items()]


def kind(field):
    """What values a setting has, in a word or two."""
    if values := getattr(field, 'vocabulary', None):
        return ', '.join(term.value for term in values)
    return {
        'TextLine': 'text',
        'Int': 'whole number',
        'Tuple': 'patterns',
        'Bool': 'yes or no',
    }.get(type(field).__name__, type(field).__name__.lower())
