Feature: What is known of a document
  A document tells how far it is, what it was read as, what it was before, and what forbids its deletion.

  Background:
    Given a workspace with these documents
      | source_id            | year | text                                                                                       |
      | policies/refunds.txt | 2026 | Refunds are paid within 7 days of purchase. A refund goes back to the payment method used. |
      | policies/travel.txt  | 2018 | Hotels are reimbursed up to 140 EUR a night. Receipts are due within 30 days.              |
      | faq/passwords.txt    | 2017 | Passwords are reset on the sign-in page with a code sent by e-mail.                        |

  Scenario: An upload says how long it will take, and the document how long it took
    When I send the file "faq/parking.txt" saying "Parking costs 4 EUR a day."
    Then it is accepted with an estimate of seconds
    When "faq/parking.txt" has come to its end
    Then its progress is complete, with the seconds of every stage
    And it was queued before it was indexed

  Scenario: A new version is told with the one before
    When I upload "policies/refunds.txt" saying "Refunds are paid within 21 days of purchase."
    And I read the versions of "policies/refunds.txt"
    Then these are its versions
      | version | status     |
      | 2       | indexed    |
      | 1       | superseded |

  Scenario: The chunks of a document are those of its current version
    When I upload "policies/refunds.txt" saying "Refunds are paid within 21 days of purchase."
    And I read the chunks of "policies/refunds.txt"
    Then the chunks say "within 21 days"
    And "within 7 days" appears nowhere

  Scenario: The chunks of a document come in pages
    When I upload "guide.md" saying "# Guide\n\n## One\n\nFirst part.\n\n## Two\n\nSecond part.\n\n## Three\n\nThird part."
    And I read the chunks of "guide.md" 1 at a time
    Then 3 chunks were read, each with its section and its span

  Scenario: The original is given back as it was, of any version
    When I upload "policies/refunds.txt" saying "Refunds are paid within 21 days of purchase."
    And I download "policies/refunds.txt"
    Then the file reads "Refunds are paid within 21 days of purchase."
    When I download version 1 of "policies/refunds.txt"
    Then the file reads "Refunds are paid within 7 days of purchase. A refund goes back to the payment method used."

  Scenario: A hostile page is saved, never shown
    When I upload "evil.html" saying "<html><head><title>A <b>title</b></title><script>alert(1)</script></head><body><p>Herons are grey.</p></body></html>"
    And I download "evil.html"
    Then it is to be saved as "evil.html" and cannot run

  Scenario Outline: What a caller may not see is not there
    When I upload "legal/merger.txt" for the group "legal" saying "The merger with Heronsoft closes in October."
    And I read the <part> of "legal/merger.txt"
    Then it is refused with 404 and the code "unknown_document"

    Examples:
      | part     |
      | versions |
      | chunks   |
      | original |

  Scenario Outline: What was deleted is not there
    When I delete "policies/refunds.txt"
    And I read the <part> of "policies/refunds.txt"
    Then it is refused with 404 and the code "unknown_document"

    Examples:
      | part     |
      | versions |
      | chunks   |
      | original |

  Scenario: A document is worked on again
    When I have "policies/refunds.txt" worked on again
    And "policies/refunds.txt" has come to its end
    And I ask "How fast are refunds paid?"
    Then the answer says "7 days"
    And the list holds "policies/refunds.txt" once, at version 1

  Scenario: A file that failed can be worked on again, and fails again with its reason
    When I send the file "empty.html" saying "<html><body><script>var x = 1;</script></body></html>"
    And "empty.html" has come to its end
    And I have "empty.html" worked on again
    And "empty.html" has come to its end
    Then it failed, as it holds "no text"

  Scenario Outline: The list is narrowed
    When I list the documents with <what>
    Then only these are listed: <documents>

    Examples:
      | what                                                     | documents                              |
      | status indexed and source_id policies/                   | policies/refunds.txt, policies/travel.txt |
      | source_id faq/                                           | faq/passwords.txt                      |
      | status failed                                            | nothing                                |
      | filters {"field": "year", "op": "lt", "value": 2020}     | policies/travel.txt, faq/passwords.txt |

  Scenario: A list that is narrowed by nonsense is refused
    When I list the documents with filters {"year": 2020}
    Then it is refused with 422 and the code "invalid_filter"

  Scenario: A held document cannot be deleted until it is released
    When I hold "policies/refunds.txt" because of "litigation 2026-114"
    And I try to delete "policies/refunds.txt"
    Then it is refused with 409 and the code "legal_hold"
    And the reason mentions "litigation 2026-114"
    When I try to delete the workspace
    Then it is refused with 409 and the code "legal_hold"
    When I ask "How fast are refunds paid?"
    Then the answer says "7 days"
    When I release "policies/refunds.txt"
    And I delete "policies/refunds.txt"
    Then the receipt says that every store is purged

  Scenario: A held document takes a new version, and keeps the bytes of the old one
    When I hold "policies/refunds.txt" because of "litigation 2026-114"
    And I upload "policies/refunds.txt" saying "Refunds are paid within 21 days of purchase."
    And I download version 1 of "policies/refunds.txt"
    Then the file reads "Refunds are paid within 7 days of purchase. A refund goes back to the payment method used."

  Scenario: What matches a filter is deleted, but for what is held
    When I hold "faq/passwords.txt" because of "audit"
    And I delete what matches year lt 2020
    Then 1 document was deleted, and "faq/passwords.txt" was held because of "audit"
    And the list does not hold "policies/travel.txt"
    And the list holds "faq/passwords.txt" once
    And the list holds "policies/refunds.txt" once
    And in the end the receipt of "policies/travel.txt" is complete
    When I search "hotels reimbursed"
    Then "140 EUR" appears nowhere

  Scenario: Nothing is deleted without a condition
    When I delete what matches nothing in particular
    Then it is refused with 422 and the code "invalid_filter"
    And the list holds "policies/travel.txt" once

  Scenario: Documents that are nearly the same are told of each other
    When I upload "copies/a.txt" saying "The annual report of the society says that the herons came back to the river in March, that forty pairs were counted by the volunteers, and that the young were seen in June at the weir below the mill."
    And I upload "copies/b.txt" saying "The annual report of the society says that the herons came back to the river in March, that forty pairs were counted by the volunteers, and that the young were seen in July at the weir below the mill."
    Then "copies/a.txt" and "copies/b.txt" are near duplicates
    And "policies/refunds.txt" is like no other
    When I delete "copies/b.txt"
    Then "copies/a.txt" is like no other
