Feature: Keeping documents
  A document is uploaded, found, replaced and deleted; each takes effect wholly, and can be proved.

  Background:
    Given a workspace with these documents
      | source_id             | department | year | text                                                                                             |
      | policies/refunds.txt  | finance    | 2026 | Refunds are paid within 7 days of purchase. A refund goes back to the payment method used.       |
      | policies/travel.txt   | finance    | 2025 | Hotels are reimbursed up to 140 EUR a night. Receipts are due within 30 days of the journey.     |
      | policies/remote.txt   | people     | 2026 | Employees may work remotely three days a week. Work from abroad needs consent.                   |
      | faq/passwords.txt     | support    | 2025 | Passwords are reset on the sign-in page with a code sent by e-mail.                              |

  Scenario: An uploaded document can be followed until it is found
    When I send the file "faq/parking.txt" saying "Parking costs 4 EUR a day."
    Then it is accepted with a Location
    And following the Location ends at the status "indexed"
    When I ask "What does parking cost a day?"
    Then the answer says "4 EUR"

  Scenario Outline: Kinds of text are read as what they are
    When I upload "<name>" saying "<content>"
    And I search "quarterly heron count"
    Then the first hit is "<name>"
    And the first hit reads "The quarterly heron count is 42."

    Examples:
      | name       | content                                                                               |
      | heron.txt  | The quarterly heron count is 42.                                                      |
      | heron.md   | # Birds\n\nThe quarterly *heron* count is **42**.                                     |
      | heron.html | <html><body><h1>Birds</h1><p>The quarterly <b>heron</b> count is 42.</p></body></html> |

  Scenario: The same bytes again change nothing
    Given the workspace's revision is noted
    When I send the file "policies/refunds.txt" again
    Then it is accepted as a duplicate at version 1
    And the workspace's revision is unchanged
    And the list holds "policies/refunds.txt" once

  Scenario: The same bytes under another source id are another document
    When I upload "copies/refunds.txt" saying "Refunds are paid within 7 days of purchase. A refund goes back to the payment method used."
    Then the list holds "policies/refunds.txt" once
    And the list holds "copies/refunds.txt" once

  Scenario: A new version replaces the old one
    When I ask "How fast are refunds paid?"
    Then the answer says "7 days"
    When I upload "policies/refunds.txt" saying "Refunds are paid within 21 days of purchase."
    And I ask "How fast are refunds paid?"
    Then the answer says "21 days"
    And "7 days" appears nowhere
    When I search "refunds paid within 7 days"
    Then "7 days" appears nowhere
    And the list holds "policies/refunds.txt" once, at version 2

  Scenario: A deleted document is not found, not even by the cache
    When I ask "How fast are refunds paid?"
    And I ask "How fast are refunds paid?"
    Then the answer came from the cache
    When I delete "policies/refunds.txt"
    Then the receipt says that every store is purged
    When I ask "How fast are refunds paid?"
    Then "7 days" appears nowhere
    When I ask "How fast are refunds paid?" as a stream, by the field stream
    Then "7 days" appears nowhere
    When I search "How fast are refunds paid?"
    Then "7 days" appears nowhere
    And the list does not hold "policies/refunds.txt"

  Scenario: A deletion can be asked for twice, and its receipt read for ever
    When I delete "policies/refunds.txt"
    And I delete "policies/refunds.txt"
    Then the receipt says that every store is purged
    And following "policies/refunds.txt" shows the status "deleted" with the same receipt

  Scenario: A source id is free again after a deletion
    When I delete "policies/refunds.txt"
    And I upload "policies/refunds.txt" saying "Refunds are paid within 9 days of purchase."
    And I ask "How fast are refunds paid?"
    Then the answer says "9 days"

  Scenario: A document for a group is invisible to others
    When I upload "legal/merger.txt" for the group "legal" saying "The merger with Heronsoft closes in October."
    And I ask "When does the merger with Heronsoft close?"
    Then "October" appears nowhere
    And the answer is that the documents do not say
    When I search "When does the merger with Heronsoft close?"
    Then "October" appears nowhere
    And the list does not hold "legal/merger.txt"

  Scenario: Rights that are withdrawn take effect at once
    When I ask "How fast are refunds paid?"
    And I upload "policies/refunds.txt" for the group "legal" saying "Refunds are paid within 7 days of purchase. A refund goes back to the payment method used."
    And I ask "How fast are refunds paid?"
    Then "7 days" appears nowhere
    And the list does not hold "policies/refunds.txt"

  Scenario Outline: Filters narrow what is searched
    When I search for the words "refunds hotels employees passwords" where <condition>
    Then only these are hit: <documents>

    Examples:
      | condition                                        | documents                                 |
      | department eq "finance"                          | policies/refunds.txt, policies/travel.txt |
      | department ne "finance"                          | policies/remote.txt, faq/passwords.txt    |
      | department in ["people", "support"]              | policies/remote.txt, faq/passwords.txt    |
      | department prefix "supp"                         | faq/passwords.txt                         |
      | year gte 2026                                    | policies/refunds.txt, policies/remote.txt |
      | year lt 2026                                     | policies/travel.txt, faq/passwords.txt    |
      | author exists true                               | nothing                                   |
      | year eq 2026 and department eq "finance"         | policies/refunds.txt                      |
      | department eq "people" or department eq "support" | policies/remote.txt, faq/passwords.txt   |
      | not department eq "finance"                      | policies/remote.txt, faq/passwords.txt    |

  Scenario: The list comes in pages
    When I list the documents 3 at a time
    Then all 4 documents are listed once

  Scenario Outline: What cannot be kept is refused with a reason
    When I send <matter>
    Then it is refused with <status> and the code "<code>"
    And the reason mentions "<words>"
    And nothing of the program's inside is shown

    Examples:
      | matter                       | status | code                | words      |
      | a program named notes.md     | 415    | unsupported_content | notes.md   |
      | a picture named notes.txt    | 415    | unsupported_content | notes.txt  |
      | a file without a byte        | 415    | empty_document      | empty      |
      | a file of blank lines        | 415    | empty_document      | empty      |
      | a form without a file        | 422    | invalid_request     | file       |
      | a file for workspace nowhere | 404    | unknown_workspace   | nowhere    |
      | metadata that is a list      | 422    | invalid_metadata    | metadata   |
      | metadata that is nested      | 422    | invalid_metadata    | metadata   |
      | an acl without a group       | 422    | invalid_acl         | group      |

  Scenario: A file whose page holds no text fails, and says why
    When I send the file "empty.html" saying "<html><body><script>var x = 1;</script></body></html>"
    Then it is accepted with a Location
    And following the Location ends at the status "failed"
    And the document's error mentions "no text"

  Scenario Outline: A document that is not there is not found
    When I <act> the document "0000"
    Then it is refused with 404 and the code "unknown_document"

    Examples:
      | act    |
      | read   |
      | delete |
