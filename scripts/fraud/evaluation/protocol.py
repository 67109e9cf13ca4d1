"""Which days train, which days test, and which cards are left out.

The protocol of the Fraud Detection Handbook: a week of training, a week in which the labels of
that week arrive, a week of test. A card that is known to be stolen when a test day
begins is blocked already, so its transactions on that day do not count.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from fraud.features import LABEL_DELAY_DAYS, LOOKBACK_DAYS

WEEK = timedelta(days=7)
LAST_DAY_OF_WEEK = timedelta(days=6)


@dataclass(frozen=True)
class Protocol:
    """One training week and the test week that goes with it.

    Attributes:
        train_start: First day of the training week.
    """

    train_start: date

    @property
    def train_end(self) -> date:
        """Last day of the training week."""
        return self.train_start + LAST_DAY_OF_WEEK

    @property
    def test_start(self) -> date:
        """First day of the test week."""
        return self.train_start + WEEK + timedelta(days=LABEL_DELAY_DAYS)

    @property
    def test_end(self) -> date:
        """Last day of the test week."""
        return self.test_start + LAST_DAY_OF_WEEK

    @property
    def validation(self) -> Protocol:
        """The protocol that tests on this one's training week: nothing in it is newer."""
        return Protocol(self.train_start - (self.test_start - self.train_start))

    @property
    def first_read(self) -> date:
        """First day that the features of training and validation read."""
        return self.validation.train_start - timedelta(days=LOOKBACK_DAYS)


def known_cards(transactions: str, protocol: Protocol) -> str:
    """Return the SQL of ``customer_id`` and ``known_from``, the first day a card is blocked.

    A card is blocked from the day before which the label of its first fraud arrived. Frauds
    before the training week do not count.

    Args:
        transactions: Table or view with all transactions.
        protocol: Says when training starts.
    """
    return f"""
        SELECT customer_id, date_add(min(tx_date), {LABEL_DELAY_DAYS + 1}) AS known_from
        FROM {transactions}
        WHERE fraud = 1 AND tx_date >= DATE '{protocol.train_start}'
        GROUP BY customer_id"""
