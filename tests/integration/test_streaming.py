def test_x(client, fake):
    from tests.support import factories
    factories.route(fake)
    a = client.chat()
    print(a)
    assert 0
