Feature: Citing sources
  Every claim can be checked: the answer cites, and what it cites holds the words that it quotes.

  Background:
    Given a workspace with these documents
      | source_id             | text                                                                                                             |
      | policies/refunds.txt  | Refunds are paid within 7 days of purchase. A refund goes back to the payment method that was used.              |
      | policies/travel.txt   | Hotels are reimbursed up to 140 EUR a night. Receipts are due within 30 days of the journey.                     |
      | policies/remote.txt   | Employees may work remotely three days a week. Work from abroad needs the consent of human resources.            |
      | runbooks/e1042.txt    | Error E1042 means that the payment gateway rejected the signature. Rotate the signing key to clear it.           |
      | policies/archive.md   | # Archive\n\nOld files rest here.\n\n## Invoices\n\nInvoices are kept for ten years in the archive.\n\n## Mail\n\nLetters are burnt. |

  Scenario Outline: An answer cites the passage that holds its words
    When I ask "<question>"
    Then the answer says "<fact>"
    And the answer cites "<source>"
    And exactly the sources that the answer cites are marked as cited
    And the words before each citation stand in the cited passage

    Examples:
      | question                                      | fact        | source               |
      | How fast are refunds paid?                    | 7 days      | policies/refunds.txt |
      | Up to what price a night are hotels reimbursed? | 140 EUR   | policies/travel.txt  |
      | How many days a week may employees work remotely? | three days | policies/remote.txt |
      | What does error E1042 mean?                   | signature   | runbooks/e1042.txt   |

  Scenario: A part of a long sentence is quoted word for word, too
    When I upload "faq/depot.txt" saying "The depot in Arvik, which was opened by the company in the spring of that year after long talks with the town and with the harbour, has 412 lockers, while the smaller one beside the harbour is closed on every holiday because of the noise that its customers make there, and because of the storms that come in from the sea all winter long."
    And I ask "How many lockers has the depot in Arvik?"
    Then the answer says "412 lockers"
    And the words before each citation stand in the cited passage

  Scenario: A citation gives the exact place
    When I ask "How fast are refunds paid?"
    Then every source is exactly the span of its document that it names

  Scenario: A citation names the section
    When I ask "For how many years are invoices kept?"
    Then the answer says "ten years"
    And the cited source is in the section "Invoices"

  Scenario: A streamed answer is cited like any other
    When I ask "How fast are refunds paid?" as a stream, by the field stream
    Then the answer cites "policies/refunds.txt"
    And exactly the sources that the answer cites are marked as cited

  Scenario: An answer from the cache keeps its citations
    When I ask "How fast are refunds paid?"
    And I ask "How fast are refunds paid?"
    Then the answer came from the cache
    And the answer cites "policies/refunds.txt"
